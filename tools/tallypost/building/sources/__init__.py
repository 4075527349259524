"""The sources of the firmware, before they are compiled."""
