"""Connections to a node: its serial port, and the broker it is connected to."""
