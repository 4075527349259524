"""Checks of the firmware's assumptions, the same on the virtual board and on any other."""
