"""The verbs of a technician at a node. See README.md."""
