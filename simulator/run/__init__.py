"""Runs scenarios: plans, processes, checkers and results."""
