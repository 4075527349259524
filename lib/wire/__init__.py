"""Codecs between a node and its backend: the packed record, JSON, LoRaWAN frames."""
