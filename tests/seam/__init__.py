"""Checks of what the firmware leans on, the same on the virtual board and on any other."""
