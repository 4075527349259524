"""The public pages of a city: static HTML that works without script, cookie and third party."""
