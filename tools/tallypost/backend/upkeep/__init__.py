"""Keeping a store in order: copies, moves, retention, refused messages (`tallypost store`)."""
