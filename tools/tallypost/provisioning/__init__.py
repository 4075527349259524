"""Writes identity and secrets to boards. See README.md."""
