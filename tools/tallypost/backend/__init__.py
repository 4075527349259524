"""What a city's backend does with what nodes send; see README.md."""
