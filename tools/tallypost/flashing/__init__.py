"""Writes an image and MicroPython to a board. See README.md."""
