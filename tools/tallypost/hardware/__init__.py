"""What the tools know of boards and chips; see README.md."""
