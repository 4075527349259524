"""Radar detectors, a module each. See README.md."""
