"""Runs first: puts the application's slot on the search path. Small, and never changed by updates."""

import sys

sys.path.append("/a")
