"""Figures of sites: counts, coverage and speeds by quarter, hour, day, week and month."""
