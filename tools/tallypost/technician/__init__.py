"""What a technician does at a node; see README.md."""
