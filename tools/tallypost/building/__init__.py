"""A board's image; see README.md."""
