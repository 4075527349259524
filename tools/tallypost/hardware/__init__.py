"""Boards and chips, as the tools see them. See README.md."""
