"""Codecs between a node and its backend: the packed record, and the JSON forms."""
