"""`esp32` of the ESP32 port: partitions on the flash file, NVS, temperature.

The world has the flash chip itself (erase before program, bits only 1 -> 0, torn operations).
Programming and erasing are requests, which take their time with interrupts off. Reading goes
straight to the file.
"""

import struct
import sys

import memory
import seam
import vfs
from micropython import const

_TABLE = const(0x8000)
_ENTRY = const(32)
_BLOCK = const(4096)
_CHUNK_BYTES = const(1024)
_READ_US = const(50)  # assumed: a call of a driver, and the SPI transfer. Data sheets: 40 to 60
_KEY_MAX = const(15)
HEAP_DATA = 4  # MALLOC_CAP_8BIT
_GET_I32 = const(0)  # operations of NVS
_SET_I32 = const(1)
_GET_BLOB = const(2)
_SET_BLOB = const(3)
_ERASE = const(4)
_COMMIT = const(5)
_WRITES = (_SET_I32, _SET_BLOB)
_SHIMS = "/rom"
shims = None  # their file system
has_pulse_counter = True
_flash = open("/proc/self/fd/62", "rb")  # simulator/world/chip/process.py puts it there


def _read(offset, buf):
    _flash.seek(offset)
    _flash.readinto(buf)


class Partition:
    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, label, block_size=_BLOCK):
        if label in (self.BOOT, self.RUNNING):
            label = None
        found = self.find(self.TYPE_APP, label=label)
        if label and not found:
            found = self.find(self.TYPE_DATA, label=label)
        if not found:
            raise OSError(2)
        self._set_entry(found[0]._entry)

    def _set_entry(self, entry):
        self._entry = entry
        self._offset = entry[2]
        self._size = entry[3]

    @classmethod
    def find(cls, type=0, subtype=0xFF, label=None, block_size=_BLOCK):
        entry = bytearray(_ENTRY)
        found = []
        for i in range(96):
            _read(_TABLE + i * _ENTRY, entry)
            if entry[:2] != b"\xaa\x50":
                break
            kind, sub, offset, size = struct.unpack_from("<BBII", entry, 2)
            name = bytes(entry[12:28]).split(b"\0")[0].decode()
            if kind != type or (subtype != 0xFF and sub != subtype):
                continue
            if label is None or label == name:
                partition = object.__new__(cls)
                partition._set_entry((kind, sub, offset, size, name, False))
                found.append(partition)
        return found

    def info(self):
        return self._entry

    def readblocks(self, block, buf, offset=0):
        seam.charge(_READ_US)
        _read(self._at(block, offset, len(buf)), buf)

    def writeblocks(self, block, buf, offset=None):
        """Without an offset the blocks are erased first (esp32_partition.c)."""
        if offset is None:
            for i in range(len(buf) // _BLOCK):
                self.ioctl(6, block + i)
        at = self._at(block, offset or 0, len(buf))
        view = memoryview(buf)
        for start in range(0, len(buf), _CHUNK_BYTES):
            us, _ = seam.request(seam.PROGRAM, 0, at + start, view[start : start + _CHUNK_BYTES])
            seam.stall(us, True)

    def ioctl(self, op, arg):
        if op == 4:
            return self._size // _BLOCK
        if op == 5:
            return _BLOCK
        if op == 6:
            us, _ = seam.request(seam.ERASE, 0, self._at(arg, 0, _BLOCK))
            seam.stall(us, True)
        return 0

    def _at(self, block, offset, length):
        at = block * _BLOCK + offset
        if not 0 <= at <= self._size:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        if at > self._size - length:
            raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
        return self._offset + at


class NVS:
    """Numbers and blobs under names of at most 15 characters. Nothing else, as on the chip.

    A longer name is refused where it is written, and finds that of its first 15 where it is read
    (measured on a genuine binary for one call of each, assumed for the others).
    """

    def __init__(self, namespace):
        self._namespace = namespace

    def _call(self, op, key, data=b"", number=0):
        if len(key) > _KEY_MAX:
            if op in _WRITES:
                raise OSError(-0x1109)  # ESP_ERR_NVS_KEY_TOO_LONG
            key = key[:_KEY_MAX]  # ESP-IDF compares so many
        name = (self._namespace + "\0" + key + "\0").encode()
        value, body = seam.request(seam.NVS, op, number & 0xFFFF_FFFF, name + bytes(data))
        if value < 0:
            raise OSError(value)
        return body

    def get_i32(self, key):
        return struct.unpack("<i", self._call(_GET_I32, key))[0]

    def set_i32(self, key, value):
        if not -(2**31) < value < 2**31:
            raise OverflowError("overflow converting long int to machine word")
        self._call(_SET_I32, key, b"", value)

    def get_blob(self, key, buf):
        data = self._call(_GET_BLOB, key)
        if len(data) > len(buf):
            raise OSError(-0x110C)  # ESP_ERR_NVS_INVALID_LENGTH
        buf[: len(data)] = data
        return len(data)

    def set_blob(self, key, value):
        self._call(_SET_BLOB, key, value)

    def erase_key(self, key):
        self._call(_ERASE, key)

    def commit(self):
        self._call(_COMMIT, "")


def raw_temperature():
    """The classic ESP32's on-die reading, Fahrenheit."""
    return 95


HEAP_DATA = 4
HEAP_EXEC = 1


def idf_heap_info(_capabilities):
    """Of each region: size, free, largest block, least free."""
    body = seam.request(seam.HEAP_INFO)[1]
    return [struct.unpack_from("<IIII", body, at) for at in range(0, len(body), 16)]


imported = __import__  # the interpreter's own, which start.py replaces


def late(name, *rest):
    """Load a shim that few nodes need, or a module that is frozen into the chip's binary. The
    folder of both is not visible to the firmware."""
    if _SHIMS in sys.path:  # one shim needs another
        return imported(name, *rest)
    before = memory.in_use_now()
    vfs.mount(shims, _SHIMS)
    sys.path.insert(0, _SHIMS)
    try:
        return imported(name, *rest)
    finally:
        sys.path.remove(_SHIMS)
        vfs.umount(_SHIMS)
        memory.not_on_chip(before)


def __getattr__(name):
    if name != "PCNT":
        raise AttributeError(name)
    if not has_pulse_counter:
        raise ImportError("can't import name PCNT")  # only `from esp32 import` gets here
    return late("pcnt").PCNT
