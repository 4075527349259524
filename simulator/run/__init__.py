"""Runs scenarios: processes, progress, checks, report."""
