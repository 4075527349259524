"""`machine.SPI` and `machine.I2C` of the ESP32 port. A module of its own, so that only boards with
a radio or such a sensor load it.
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


class I2C:
    """A bus with one master. A device that does not answer costs OSError(19), ENODEV."""

    def __init__(self, id=-1, *, scl, sda, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("I2C(%d) does not exist" % id)
        self._freq = freq

    def _transfer(self, is_write, at, size, data):
        addr, register, addrsize = at
        if addrsize != 16:
            raise ValueError("only registers of 16 bits are here")
        seam.spend((size + 5) * 9_000_000 // self._freq)
        value, body = seam.request(seam.I2C, is_write, addr << 16 | register, data)
        if value:
            raise OSError(value)
        return body

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self._transfer(1, (addr, memaddr, addrsize), len(buf), buf)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        size = bytes((len(buf),))
        buf[:] = self._transfer(0, (addr, memaddr, addrsize), len(buf), size)


class SoftSPI(SPI):
    def __init__(self, baudrate=500_000, **_settings):
        self._open(baudrate)
