"""Drivers of LoRa transceivers: `radio.sx126x`, `radio.sx127x`. See README.md.

Nothing is imported here: a node has one radio, and loads that driver alone.
"""
