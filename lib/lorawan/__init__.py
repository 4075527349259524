"""LoRaWAN 1.0.4 Class A in pure MicroPython: a state machine, no I/O. See README.md.

Nothing is imported here: `lorawan.mac` is what a link uses, and takes the rest with it.
"""
