"""Radar detectors. See README.md."""

from radar.ld2451 import LD2451

__all__ = ("LD2451",)
