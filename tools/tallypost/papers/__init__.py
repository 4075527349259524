"""Papers about nodes and their records, made from files. See README.md."""
