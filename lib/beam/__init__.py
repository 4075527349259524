"""Infrared light barriers, a module each. See README.md."""
