"""Exports of the figures of sites, in forms that tools and platforms take."""
