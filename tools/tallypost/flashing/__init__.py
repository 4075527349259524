"""Image and MicroPython onto a board; see README.md."""
