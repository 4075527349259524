"""The read API of a city: sites, counts, latest and quality, by HTTP."""
