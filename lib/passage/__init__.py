"""Turns detections into passages: one road user crosses the counting line once. See README.md."""
