"""Drivers of LoRa transceivers: `radio.sx126x`, `radio.sx127x`. See README.md.

Nothing is imported here. A node has one radio and loads only that driver.
"""
