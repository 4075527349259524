"""Infrared light barriers. See README.md."""

from beam.dual import DualBeam

__all__ = ("DualBeam",)
