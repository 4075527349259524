"""The image of a board. See README.md."""
