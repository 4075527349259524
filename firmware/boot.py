"""Runs first: puts the application's slot on the search path. Small, and never changed by updates."""

import gc
import sys

sys.path.append("/a")
gc.threshold(4096)  # while modules load: keeps what stays together, so that large buffers find room
