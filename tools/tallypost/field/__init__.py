"""Counts of a node against a tally by hand, at the street."""
