"""The chips of the ESP32 family, as far as an image and a wiring depend on them.

Pins: ESP-IDF programming guide, "GPIO & RTC GPIO" of each chip (strapping, SPI0/1, input only,
USB-JTAG), and the chapters on strapping pins of the data sheets. Image: ESP-IDF "App Image Format"
(chip id) and "Bootloader" (its address). Console: UART0 in MicroPython's generic
images (ports/esp32, MICROPY_HW_ENABLE_UART_REPL). Free bytes: `gc.mem_free()` at the prompt of
MicroPython 1.25.0 on an emulated ESP32; it includes what the heap may still take of ESP-IDF's.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """image_id: byte 12 of the image header. loader_offset: where the boot loader lies in flash.

    pins: GPIO that exist on a package. strapping: read by the ROM at reset. flash: connected to
    the flash memory. input_only: without driver and pull-up. console: UART0. usb: D- and D+.
    uarts: number of UARTs, the console included. pulse_counter: the chip has PCNT. free_bytes: of
    memory before any program, without PSRAM, 0 where nobody has measured it.
    """

    name: str
    image_id: int
    loader_offset: int
    pins: frozenset[int]
    strapping: frozenset[int]
    flash: frozenset[int]
    input_only: frozenset[int]
    console: frozenset[int]
    usb: frozenset[int]
    uarts: int
    pulse_counter: bool
    free_bytes: int


def _pins(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(pin for first, last in spans for pin in range(first, last + 1))


_NONE: frozenset[int] = frozenset()

CHIPS = {
    "esp32": Chip(
        "esp32", 0, 0x1000, _pins((0, 19), (21, 23), (25, 27), (32, 39)),
        strapping=frozenset((0, 2, 5, 12, 15)), flash=_pins((6, 11)), input_only=_pins((34, 39)),
        console=frozenset((1, 3)), usb=_NONE, uarts=3, pulse_counter=True,
        free_bytes=164_761,
    ),
    "esp32s3": Chip(
        "esp32s3", 9, 0x0, _pins((0, 21), (26, 48)),
        strapping=frozenset((0, 3, 45, 46)), flash=_pins((26, 32)), input_only=_NONE,
        console=frozenset((43, 44)), usb=frozenset((19, 20)), uarts=3, pulse_counter=True,
        free_bytes=0,
    ),
    "esp32c3": Chip(
        "esp32c3", 5, 0x0, _pins((0, 21)),
        strapping=frozenset((2, 8, 9)), flash=_pins((11, 17)), input_only=_NONE,
        console=frozenset((20, 21)), usb=frozenset((18, 19)), uarts=2, pulse_counter=False,
        free_bytes=0,
    ),
}  # fmt: skip


def by_image_id(number: int) -> str:
    """The chip that an image header names, or its number in hexadecimal if it is unknown."""
    names = {chip.image_id: chip.name for chip in CHIPS.values()}
    return names.get(number, f"chip 0x{number:x}")
