"""The authority of a city, and the keys that sign settings. See README.md."""
