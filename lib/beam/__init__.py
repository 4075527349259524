"""Infrared light barriers. See README.md."""
