"""Writes and reads an NVS partition of ESP-IDF. See README.md."""
