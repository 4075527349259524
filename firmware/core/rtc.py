"""RTC memory shared by the open interval and a LoRaWAN session. It outlives every reset."""

import struct

_SIZES = (384, 640)  # bytes: the open interval takes 354 at most, a LoRaWAN session less than 600


def shared(rtc):
    """Return two memories, of 382 and 638 bytes, in the memory of `rtc`, a `machine.RTC()`."""
    whole = bytearray(sum(_SIZES))
    kept = rtc.memory()
    if len(kept) == len(whole):
        whole[:] = kept
    first, second = _SIZES
    return Part(rtc, whole, 0, first), Part(rtc, whole, first, second)


class Part:
    """`size` bytes from `first` on. The last two hold the length of the content, little-endian."""

    def __init__(self, rtc, whole, first, size):
        self._rtc = rtc
        self._whole = whole
        self._first = first
        self._end = first + size - 2

    def read(self):
        (n,) = struct.unpack_from("<H", self._whole, self._end)
        return bytes(self._whole[self._first : min(self._first + n, self._end)])

    def write(self, data):
        """Replace the content. Raises ValueError when `data` is too long."""
        n = len(data)
        if n > self._end - self._first:
            raise ValueError("rtc: %d bytes, room for %d" % (n, self._end - self._first))
        self._whole[self._first : self._first + n] = data
        struct.pack_into("<H", self._whole, self._end, n)
        self._rtc.memory(self._whole)
