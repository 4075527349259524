"""Runs first and puts the application's slot on the search path. Updates never touch it."""

import gc
import sys

sys.path.append("/a")
gc.threshold(4096)  # while modules load: resident objects lie together, large buffers find room
