"""A log on raw NOR flash that loses no record to a power cut. See README.md."""

from ring.region import RingError
from ring.ring import EVENT, INTERVAL, ANCHOR, Ring

__all__ = ("ANCHOR", "EVENT", "INTERVAL", "Ring", "RingError")
