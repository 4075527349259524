"""Costs of the ring log and of radar frames, as ratios. See README.md."""
