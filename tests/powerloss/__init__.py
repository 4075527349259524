"""Power cuts at every flash operation of the ring log. See README.md."""
