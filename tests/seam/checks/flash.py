"""esp32.Partition. Writes go to the last sector of the scratch partition, which is restored."""

import time

from esp32 import Partition
from prelude import code, expect, need, truth

_INVALID_ARG, _INVALID_SIZE = -0x102, -0x104
_SECTOR = 4096


class _Scratch:
    """The last sector of the partition that may be written to. It is restored at the end."""

    def __enter__(self):
        label = need("scratch", "no partition to write to: --scratch LABEL")
        self.part = Partition.find(Partition.TYPE_DATA, label=label)[0]
        self.last = self.part.ioctl(4, 0) - 1
        self._kept = bytearray(_SECTOR)
        self.part.readblocks(self.last, self._kept)
        self.part.ioctl(6, self.last)
        return self

    def __exit__(self, *_):
        self.part.writeblocks(self.last, self._kept)

    def read(self, offset, size):
        buf = bytearray(size)
        self.part.readblocks(self.last, buf, offset)
        return bytes(buf)

    def write(self, offset, data):
        self.part.writeblocks(self.last, data, offset)


def find_by_label():
    """find(TYPE_DATA, label=) gives a list, which may be empty. The given type counts.

    Source: docs/library/esp32.rst, Partition.find, and ports/esp32/esp32_partition.c

    Leans: boards/common/esp32_board.py, ring_partition
    """
    expect(len(Partition.find(Partition.TYPE_DATA, label="nvs")), 1)
    expect(Partition.find(Partition.TYPE_DATA, label="no-such-one"), [])
    expect(Partition.find(Partition.TYPE_APP, label="nvs"), [])
    truth(len(Partition.find(Partition.TYPE_DATA)) >= 2, "partitions of data")


def info_is_a_tuple_of_six():
    """info(): type, subtype, address, size, label, encrypted.

    Source: docs/library/esp32.rst, Partition.info, and esp32_partition.c, esp32_partition_info

    Leans: nothing on the node, and tools check the table from outside
    """
    info = Partition.find(Partition.TYPE_DATA, label="nvs")[0].info()
    expect((len(info), info[0], info[1], info[4], info[5]), (6, 1, 2, "nvs", False))
    truth(info[2] % _SECTOR == 0 and info[3] % _SECTOR == 0, "address and size in sectors")


def by_name_data_or_application():
    """Partition("label") finds an application or data. A missing name is ENOENT.

    Source: esp32_partition.c, esp32_partition_make_new, esp32_partition_new

    Leans: the port's own _boot.py: Partition("vfs")
    """
    expect(Partition("nvs").info()[4], "nvs")
    running = Partition(Partition.RUNNING).info()
    expect(running[0], Partition.TYPE_APP)
    expect(Partition(running[4]).info(), running)
    expect(code(Partition, "no-such-one"), 2)


def sectors_are_counted():
    """ioctl 4 is the number of sectors, 5 their size. For 1, 2 and 3 it is 0.

    Source: esp32_partition.c, esp32_partition_ioctl, and docs/library/vfs.rst,
    AbstractBlockDev.ioctl

    Leans: lib/ring/region.py, lib/ring/ring.py
    """
    part = Partition("nvs")
    expect(part.ioctl(5, 0), _SECTOR)
    expect(part.ioctl(4, 0) * _SECTOR, part.info()[3])
    expect([part.ioctl(op, 0) for op in (1, 2, 3)], [0, 0, 0])


def reading_at_any_offset():
    """readblocks fills the buffer from any offset, over the border of a sector too.

    Source: esp32_partition.c, esp32_partition_readblocks

    Leans: lib/ring/region.py
    """
    part = Partition("nvs")
    whole = bytearray(2 * _SECTOR)
    part.readblocks(0, whole)
    piece = bytearray(301)
    part.readblocks(0, piece, 4001)
    expect(piece, whole[4001:4302])
    part.readblocks(1, memoryview(piece)[:5], 3)
    expect(piece[:5], whole[4099:4104])


def an_erase_leaves_ones():
    """ioctl 6 sets a whole sector to 0xFF, and returns 0.

    Source: esp32_partition.c, esp32_partition_ioctl (BLOCK_ERASE), and docs/library/vfs.rst

    Leans: lib/ring/region.py: is_clean
    """
    with _Scratch() as it:
        it.write(100, b"something")
        expect(it.part.ioctl(6, it.last), 0)
        expect(it.read(0, _SECTOR), b"\xff" * _SECTOR)


def programming_only_clears_bits():
    """Writing with an offset does not erase: the new bytes are AND-ed with the old ones.

    Source: docs/library/vfs.rst, writeblocks with offset, and esp32_partition.c, and NOR flash

    Leans: lib/ring: append-only, torn entries are found by their CRC
    """
    with _Scratch() as it:
        it.write(8, b"\xf0\x0f\xff")
        it.write(8, b"\xcc\xff\x01")
        expect(it.read(7, 5), b"\xff\xc0\x0f\x01\xff")


def programming_at_any_offset():
    """Any offset and length is written, and nothing beside, from a memoryview too.

    Source: esp32_partition.c, esp32_partition_writeblocks, and IDF, esp_partition_write

    Leans: lib/ring/region.py: entries are padded to 4 bytes only
    """
    with _Scratch() as it:
        data = bytes(range(1, 200))
        it.write(253, memoryview(data)[3:150])
        expect(it.read(252, 149), b"\xff" + data[3:150] + b"\xff")


def without_an_offset_it_erases():
    """writeblocks without an offset erases the blocks that it writes.

    Source: docs/library/vfs.rst, writeblocks, and esp32_partition.c (esp_partition_erase_range)

    Leans: lib/ring never calls it so, and LittleFS neither
    """
    with _Scratch() as it:
        it.write(0, bytes(64))
        it.part.writeblocks(it.last, b"\xa5" * _SECTOR)
        expect(it.read(0, _SECTOR), b"\xa5" * _SECTOR)


def beyond_the_end_is_an_error():
    """Past the end: INVALID_SIZE. From beyond it: INVALID_ARG. The errno is minus the IDF's code.

    Source: IDF, esp_partition.h: esp_partition_read, _write, _erase_range, and check_esp_err

    Leans: lib/ring: a partition that is too small must not wrap into the next one
    """
    part = Partition("nvs")
    count = part.ioctl(4, 0)
    buf = bytearray(16)
    expect(code(part.readblocks, count - 1, buf, _SECTOR - 8), _INVALID_SIZE)
    expect(code(part.readblocks, count, buf, 0), _INVALID_SIZE)
    expect(code(part.readblocks, count + 1, buf, 0), _INVALID_ARG)
    expect(code(part.ioctl, 6, count), _INVALID_SIZE)


def writing_beyond_the_end_is_an_error():
    """The same for programs. Nothing is written.

    Source: IDF, esp_partition.h, esp_partition_write

    Leans: lib/ring
    """
    with _Scratch() as it:
        expect(code(it.part.writeblocks, it.last, b"12345678", _SECTOR - 4), _INVALID_SIZE)
        expect(code(it.part.writeblocks, it.last + 2, b"12345678", 0), _INVALID_ARG)
        expect(it.read(_SECTOR - 4, 4), b"\xff\xff\xff\xff")


def an_erase_takes_its_time():
    """Erasing blocks for milliseconds, up to 400 of them. Programming 32 bytes takes less than 20.

    Source: micropython issue 3782 (80 ms), and W25Q32 data sheet, 9.6 (45 ms typical, 400 most)

    Leans: firmware/app.py, _PREPARE_S, and lib/ring/ring.py, prepare
    """
    with _Scratch() as it:
        start = time.ticks_us()
        it.write(0, bytes(32))
        program_us = time.ticks_diff(time.ticks_us(), start)
        start = time.ticks_us()
        it.part.ioctl(6, it.last)
        erase_us = time.ticks_diff(time.ticks_us(), start)
    truth(1000 <= erase_us < 500_000, "an erase took %d us" % erase_us)
    truth(program_us < 20_000, "a program took %d us" % program_us)
