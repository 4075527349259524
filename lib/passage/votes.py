"""A majority of the last few: what is true of nearly every track says something of the radar."""

from micropython import const

_FORGET = const(10)  # times `least`: then what is old counts half


class Votes:
    """least: how many there must be before they say anything."""

    def __init__(self, least):
        self._least = least
        self._for = self._against = 0

    def add(self, is_so):
        if is_so:
            self._for += 1
        else:
            self._against += 1
        if self._for + self._against >= _FORGET * self._least:
            self._for >>= 1
            self._against >>= 1

    def says(self, tenths):
        """True when so many of ten, or more, are for it."""
        votes = self._for + self._against
        return votes >= self._least and self._for * 10 >= votes * tenths
