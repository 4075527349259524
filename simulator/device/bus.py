"""`machine.SPI` of the ESP32 port. A module of its own, so that only boards with a radio load
it.
"""

import seam


class SPI:
    """A bus of one device. Chip select is a pin of its own. Blocks while the bits go out."""

    MSB = 0
    LSB = 1

    def __init__(self, id, baudrate=500_000, **_settings):
        if id not in (1, 2):
            raise ValueError("SPI(%d) does not exist" % id)
        self._open(baudrate)

    def _open(self, baudrate):
        self._baudrate = baudrate

    def _transfer(self, data):
        seam.spend(len(data) * 8_000_000 // self._baudrate + 1)
        return seam.request(seam.SPI, 0, 0, data)[1]

    def write(self, buf):
        self._transfer(buf)

    def readinto(self, buf, write=0):
        self.write_readinto(bytes((write,)) * len(buf), buf)

    def read(self, nbytes, write=0):
        return self._transfer(bytes((write,)) * nbytes)

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        read_buf[:] = self._transfer(write_buf)

    def deinit(self):
        pass


class SoftSPI(SPI):
    def __init__(self, baudrate=500_000, **_settings):
        self._open(baudrate)
