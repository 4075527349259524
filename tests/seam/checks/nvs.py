"""esp32.NVS, in a namespace of its own, which is empty again at the end."""

from esp32 import NVS
from prelude import code, expect, raises

_NOT_FOUND, _KEY_TOO_LONG, _INVALID_LENGTH = -0x1102, -0x1109, -0x110C
_SPACE = "tpconform"


class _Keys:
    """Keys that are gone again at the end."""

    def __init__(self, *keys):
        self._keys = keys
        self.nvs = NVS(_SPACE)

    def __enter__(self):
        self._forget()
        return self.nvs

    def __exit__(self, *_):
        self._forget()

    def _forget(self):
        for key in self._keys:
            try:
                self.nvs.erase_key(key)
            except OSError:
                pass
        self.nvs.commit()


def numbers_of_32_bits():
    """set_i32 and get_i32 keep signed numbers of 32 bits, without -2**31. The last one counts.

    Source: docs/library/esp32.rst, NVS.set_i32, and ports/esp32/esp32_nvs.c

    Leans: firmware/build.py (boot counter)
    """
    with _Keys("n") as nvs:
        for value in (0, 1, -1, 2**31 - 1, -(2**31 - 1), 42):
            nvs.set_i32("n", value)
            expect(nvs.get_i32("n"), value)
        for value in (2**31, -(2**31)):
            raises(OverflowError, nvs.set_i32, "n", value)
        expect(nvs.commit(), None)
        expect(nvs.get_i32("n"), 42)


def blobs_of_any_bytes():
    """set_blob takes bytes, bytearray, memoryview. The reader get_blob fills a buffer and returns
    the length.

    Source: docs/library/esp32.rst, NVS.get_blob, and esp32_nvs.c, esp32_nvs_get_blob

    Leans: firmware/config/settings.py, read_blob
    """
    with _Keys("b") as nvs:
        for value in (b"\0\x01\xfe\xff", bytearray(b"z"), memoryview(b"abcdef")[1:4], bytes(1500)):
            nvs.set_blob("b", value)
            buf = bytearray(b"." * 1502)
            expect(nvs.get_blob("b", buf), len(value))
            expect(bytes(buf[: len(value)]), bytes(value))
            expect(bytes(buf[len(value) : len(value) + 2]), b"..")


def a_buffer_too_small_is_an_error():
    """get_blob into too small a buffer raises ESP_ERR_NVS_INVALID_LENGTH (-0x110C).

    Source: docs/library/esp32.rst, NVS.get_blob, and IDF nvs.h, nvs_get_blob

    Leans: firmware/config/settings.py: the longest blob is 1500 bytes
    """
    with _Keys("b") as nvs:
        nvs.set_blob("b", b"twelve bytes")
        expect(code(nvs.get_blob, "b", bytearray(11)), _INVALID_LENGTH)
        expect(nvs.get_blob("b", bytearray(12)), 12)


def a_missing_key_is_an_error():
    """A missing key is ESP_ERR_NVS_NOT_FOUND (-0x1102), for reading and erasing.

    Source: IDF nvs.h, ESP_ERR_NVS_BASE 0x1100 + 2, and check_esp_err (errno is minus the code)

    Leans: firmware/config/settings.py, firmware/build.py
    """
    with _Keys("x") as nvs:
        expect(code(nvs.get_i32, "x"), _NOT_FOUND)
        expect(code(nvs.get_blob, "x", bytearray(4)), _NOT_FOUND)
        expect(code(nvs.erase_key, "x"), _NOT_FOUND)
        nvs.set_i32("x", 1)
        expect(code(NVS(_SPACE + "2").get_i32, "x"), _NOT_FOUND)


def another_type_is_an_error():
    """A number is not a blob, and the other way round: OSError.

    Source: docs/library/esp32.rst, NVS.get_i32 ("or has a different type")

    Leans: firmware/config/settings.py
    """
    with _Keys("t") as nvs:
        nvs.set_i32("t", 7)
        raises(OSError, nvs.get_blob, "t", bytearray(8))
        expect(nvs.get_i32("t"), 7)


def keys_have_at_most_15_characters():
    """15 characters are stored. Setting 16 is ESP_ERR_NVS_KEY_TOO_LONG (-0x1109). Where a longer
    key is accepted for reading, it stands for its first 15.

    Source: IDF, nvs_flash documentation, "Keys and Values", and nvs.h, ESP_ERR_NVS_BASE + 9

    Leans: tools/tallypost/provisioning/provision.py and firmware/: names of keys
    """
    with _Keys("k" * 15) as nvs:
        nvs.set_i32("k" * 15, 5)
        expect(nvs.get_i32("k" * 15), 5)
        expect(code(nvs.set_i32, "k" * 16, 5), _KEY_TOO_LONG)
        try:
            expect(nvs.get_i32("k" * 16), 5)
        except OSError as error:
            expect(error.errno, _KEY_TOO_LONG)


def an_erased_key_is_gone():
    """erase_key forgets a key, and it can be set again.

    Source: docs/library/esp32.rst, NVS.erase_key

    Leans: firmware/config/schema.py (a configuration taken back)
    """
    with _Keys("e") as nvs:
        nvs.set_blob("e", b"one")
        nvs.erase_key("e")
        expect(code(nvs.get_blob, "e", bytearray(8)), _NOT_FOUND)
        nvs.set_blob("e", b"two")
        buf = bytearray(3)
        nvs.get_blob("e", buf)
        expect(bytes(buf), b"two")
