"""From detections to passages: one road user crossing the counting line, once. See README.md."""

from passage.queue import PassageQueue
from passage.tracker import Tracker

__all__ = ("PassageQueue", "Tracker")
