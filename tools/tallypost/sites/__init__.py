"""Sites: the places where a city counts, with their history."""
