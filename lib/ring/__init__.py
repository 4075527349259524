"""Ring log on raw NOR flash: no power cut loses a closed record. See README.md."""

from ring.region import RingError
from ring.ring import EVENT, INTERVAL, ANCHOR, Ring

__all__ = ("ANCHOR", "EVENT", "INTERVAL", "Ring", "RingError")
