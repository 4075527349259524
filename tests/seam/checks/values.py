"""Bytes, numbers and codes that the wire forms, the ring and the MAC rely on."""

import binascii
import errno
import hashlib
import io
import json
import struct
from array import array

from cryptolib import aes
from micropython import const
from prelude import expect, raises, truth

_LIMIT = const(0x1000_0000)


def aes_of_one_block():
    """AES-128 in ECB, both ways: FIPS 197, appendix C.1.

    Source: docs/library/cryptolib.rst, and extmod/modcryptolib.c, and FIPS 197

    Leans: lib/lorawan/crypto.py
    """
    key = bytes(range(16))
    plain = binascii.unhexlify("00112233445566778899aabbccddeeff")
    secret = binascii.unhexlify("69c4e0d86a7b0430d8cdb78070b4c55a")
    expect(aes(key, 1).encrypt(plain), secret)
    expect(aes(key, 1).decrypt(secret), plain)
    buf = bytearray(plain)
    aes(key, 1).encrypt(buf, buf)
    expect(bytes(buf), secret, "in place")
    raises(ValueError, aes, b"short", 1)


def sha256_of_abc():
    """FIPS 180-4: SHA-256 of "abc", and in pieces.

    Source: docs/library/hashlib.rst, and FIPS 180-4

    Leans: updates (/b/ is reserved for signed ones)
    """
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    expect(binascii.hexlify(hashlib.sha256(b"abc").digest()).decode(), wanted)
    pieces = hashlib.sha256(b"a")
    pieces.update(memoryview(b"xbc")[1:])
    expect(binascii.hexlify(pieces.digest()).decode(), wanted)


def crc32_goes_on():
    """crc32 of "123456789" is 0xCBF43926, unsigned. A second argument continues it.

    Source: docs/library/binascii.rst, crc32, and ITU-T V.42

    Leans: lib/ring, firmware/counting/counter.py, lib/lorawan/session.py, lib/mqtt/frame.py
    """
    expect(binascii.crc32(b"123456789"), 0xCBF43926)
    expect(binascii.crc32(memoryview(b"..6789")[2:], binascii.crc32(b"12345")), 0xCBF43926)


def struct_packs_without_gaps():
    """Formats with "<" and "!" have no padding. The functions pack_into and unpack_from take
    offsets and views.

    Source: docs/library/struct.rst

    Leans: lib/ring, lib/wire, lib/lorawan, firmware/counting/counter.py
    """
    expect(struct.calcsize("<HBBII"), 12)
    expect(struct.pack("!H", 0x1234) + struct.pack("<H", 0x1234), b"\x12\x34\x34\x12")
    buf = bytearray(16)
    struct.pack_into("<4sHI", memoryview(buf)[1:], 1, b"abcd", 65535, 0xFFFFFFFF)
    expect(bytes(buf), b"\0\0abcd\xff\xff\xff\xff\xff\xff" + bytes(4))
    expect(struct.unpack_from("<HiB", b"\0\xff\xff\xfe\xff\xff\xff\x80", 1), (65535, -2, 0x80))
    expect(struct.unpack("<q", struct.pack("<q", -(2**40)))[0], -(2**40))
    raises(ValueError, struct.unpack, "<I", b"abc")


def json_as_it_is_written():
    """dumps puts ", " and ": ", true, null, and escapes quotes and control characters.

    Source: docs/library/json.rst, and extmod/modjson.c, and py/objstr.c, mp_str_print_json

    Leans: lib/wire/jsonform.py, firmware/config/schema.py (a CRC over it)
    """
    expect(json.dumps([1, True, None, "a"]), '[1, true, null, "a"]')
    expect(json.dumps({"k": -5}), '{"k": -5}')
    expect(json.dumps('q"\\\n\x01'), '"q\\"\\\\\\n\\u0001"')
    expect(json.dumps(2**40), "1099511627776")
    expect(json.dumps(1.5), "1.5")


def json_as_it_is_read():
    """loads takes escapes, nested values and white space. It refuses a text that is cut short.

    Source: docs/library/json.rst, and extmod/modjson.c

    Leans: firmware/commands/registry.py, firmware/config/schema.py, lib/wire/jsonform.py
    """
    expect(json.loads(' {"a": [1, -2.5, "\\u00e4\\n", {}], "b": false} '),
           {"a": [1, -2.5, "\xe4\n", {}], "b": False})  # fmt: skip
    expect(json.loads(b"[1]"), [1])
    for text in ("", '{"a":', "nul", "[1 2"):
        raises(ValueError, json.loads, text)


def json_into_a_stream_of_ours():
    """json.dump writes piece by piece into a subclass of io.IOBase.

    Source: docs/library/json.rst, dump, and extmod/moductypes is not needed, and py/stream.c,
    io.IOBase

    Leans: lib/mqtt/frame.py, lib/wire/jsonform.py
    """

    class Sink(io.IOBase):
        text = b""

        def write(self, data):
            self.text += bytes(data)
            return len(data)

    sink = Sink()
    json.dump({"n": [1, "x"]}, sink)
    expect(sink.text, b'{"n": [1, "x"]}')


def views_share_and_move():
    """A memoryview's slice is the buffer itself. Moving within one buffer works both ways.

    Source: docs/differences/python_36.rst (memoryview), and py/objarray.c (memmove)

    Leans: lib/radar/ld24xx.py, lib/ring/region.py, lib/mqtt/frame.py
    """
    buf = bytearray(b"abcdefgh")
    view = memoryview(buf)
    view[2:4] = b"XY"
    expect(bytes(buf), b"abXYefgh")
    buf[:6] = view[2:]
    expect(bytes(buf), b"XYefghgh")
    view[2:] = view[:6]
    expect(bytes(buf), b"XYXYefgh")
    truth(view[:2] == b"XY" and view[:2] == buf[:2], "comparison")

    def too_long():
        view[0:2] = b"abc"

    raises(ValueError, too_long)


def arrays_of_32_bits():
    """array("i") and ("I") have 4 bytes an item, ("h") and ("H") 2. Negative ones come back.

    Source: docs/library/array.rst, and py/binary.c

    Leans: lib/beam/edges.py, lib/passage, lib/wire/record.py
    """
    for code, size in (("b", 1), ("h", 2), ("H", 2), ("i", 4), ("I", 4)):
        expect(len(bytes(array(code, [0, 0]))), 2 * size, code)
    kept = array("i", [0])
    kept[0] = -(2**29)
    expect(kept[0], -(2**29))


def numbers_grow():
    """Beyond 2^30 numbers go on as long as they like, and masks bring them back.

    Source: docs/reference/constrained.rst ("small integers"), and py/objint_mpz.c

    Leans: firmware/counting/counter.py, lib/lorawan: counters of 32 bits
    """
    value = 0xFFFF_FFFF
    expect((value + 1) & 0xFFFF_FFFF, 0)
    expect(value * value, 0xFFFFFFFE00000001)
    expect(int.from_bytes(b"\x01\x02\x03\x04\x05", "big"), 0x0102030405)
    expect((0x01020304).to_bytes(4, "little"), b"\x04\x03\x02\x01")
    expect((-7 // 2, -7 % 32767, divmod(-7, 4)), (-4, 32760, (-2, 1)))


def floats_to_one_decimal():
    """Floats are enough for a speed to a tenth. The number of digits is shown.

    Source: ports/esp32/mpconfigport.h, MICROPY_FLOAT_IMPL_FLOAT (single precision)

    Leans: lib/wire/jsonform.py, lib/passage
    """
    expect("%.1f" % 49.95 in ("49.9", "50.0"), True)
    expect(("%.1f" % 7.26, round(123.456)), ("7.3", 123))
    expect(int(36.0 * 27.5), 990)
    return repr(1 / 3)


def bytes_are_searched():
    """find and count with limits, split, partition, and % on text.

    Source: docs/library/builtins.rst, and py/objstr.c

    Leans: lib/ring/region.py, lib/modem, firmware/core/health.py
    """
    window = bytearray(b"\xff\xff\x5a\xff\x5a\xff")
    expect((window.find(b"\x5a", 3, 6), window.find(b"\x5a", 5, 6)), (4, -1))
    expect(window.count(b"\xff", 1, 4), 2)
    expect("ring.recovery".rpartition("."), ("ring", ".", "recovery"))
    expect("%08x %d%% %r" % (0xBEEF, 5, "a"), "0000beef 5% 'a'")
    expect("192.0.2.1".strip("0123456789."), "")


def errors_have_their_number():
    """OSError(n).errno is n, negative too, and with a text behind it. The repr shows it.

    Source: docs/library/errno.rst, and py/objexcept.c

    Leans: lib/names/query.py, lib/mqtt/client.py, firmware/core/log.py
    """
    expect((OSError(-202).errno, OSError(-4354, "ESP_ERR_NVS_NOT_FOUND").errno), (-202, -4354))
    expect(OSError().errno, None)
    truth(issubclass(MemoryError, Exception) and issubclass(EOFError, Exception), "Exception")
    expect(repr(OSError(-202)), "OSError(-202,)")


def error_numbers_are_newlibs():
    """Error numbers are those of the chip's C library: ETIMEDOUT is 116, EINPROGRESS 119.

    Source: micropython-lib issue 732 (errno.ETIMEDOUT on an ESP32), and mpconfigport.h,
    MICROPY_USE_INTERNAL_ERRNO 0, and newlib, sys/errno.h

    Leans: lib/names/query.py, lib/mqtt/client.py: by name, never by number
    """
    names = ("ENOENT", "EAGAIN", "ENOMEM", "ECONNRESET", "ECONNREFUSED", "ETIMEDOUT",
             "EINPROGRESS")  # fmt: skip
    expect([getattr(errno, name) for name in names], [2, 11, 12, 104, 111, 116, 119])


def constants_cost_no_name():
    """const() gives the number. A constant with a leading underscore is no global of its file.

    Source: docs/library/micropython.rst, const

    Leans: every module: `_NAME = const(...)` takes no memory
    """
    expect(_LIMIT * 2, 0x2000_0000)
    truth("_LIMIT" not in globals(), "it takes memory")


def assertions_hold():
    """assert is there: the interpreter does not drop it from source.

    Source: docs/library/micropython.rst, opt_level (0)

    Leans: all of lib/ and firmware/ (shipped with -O0)
    """

    def fails():
        assert 1 == 2, "no"

    raises(AssertionError, fails)
