"""Radar detectors, one module each. See README.md."""
