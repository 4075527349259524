"""The virtual board: a flash file behind a serial port."""
