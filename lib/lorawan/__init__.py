"""LoRaWAN 1.0.4 Class A in pure MicroPython. See README.md.

Nothing is imported here. A link imports `lorawan.device.end_device`, which imports the MAC.
"""
