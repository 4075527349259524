"""Looks up host names without blocking. See README.md."""

from names.lookup import lookup

__all__ = ("lookup",)
