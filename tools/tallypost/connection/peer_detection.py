"""Names the device at the other end of a serial line that is no node, from the bytes it sent.

Sources: ESP32 Technical Reference Manual (boot messages of the ROM), MicroPython 1.25:
ports/esp32/modules/_boot.py and inisetup.py (the damaged file system), shared/runtime/pyexec.c
(prompts).
"""

from __future__ import annotations

import re

from tallypost.faults import ToolError
from tallypost.i18n import _

_PROMPT = re.compile(rb"(^|\n)>>> |raw REPL; CTRL-B")
_LOG_LINE = re.compile(rb"(^|\n)\d+ (debug|info|warn|error) ")
_START_LINE = re.compile(rb"(^|\n)\d+ info \S+ \S+ boot \d+ on ")  # firmware/build.py
_RESETS_MIN = 3  # so many within a few seconds are a loop
_SHOWN_CHARACTERS = 60


def is_identified(received: bytes) -> bool:
    """Whether the device has named itself, so that waiting longer will not change the result."""
    return _identified(received) is not None


def is_starting(received: bytes) -> bool:
    """Whether a node has reported its start. It answers only when the start is finished."""
    return _START_LINE.search(received) is not None


def no_answer_error(port: str, received: bytes) -> ToolError:
    """The error for a port at which no node answered: the device that is there, the next step."""
    what, advice = _identified(received) or _guessed(received)
    return ToolError(f"{port}: {what}", advice.format(port=port))


def _identified(received: bytes) -> tuple[str, str] | None:
    """(description, next step) for a device that names itself, else None."""
    if b"filesystem appears to be corrupted" in received:
        return (
            _("the file system of the board is damaged"),
            _("This command writes it anew and keeps the counts: tallypost flash --port {port}"),
        )
    if b"invalid header: 0x" in received or b"No bootable app" in received:
        return (
            _("the flash of the board holds no firmware"),
            _("Run: tallypost flash --port {port} --micropython FILE"),
        )
    if b"waiting for download" in received:
        return (
            _("the board waits in its bootloader"),
            _("Release BOOT, press EN (reset), then run the same command again."),
        )
    if _PROMPT.search(received):
        return (
            _("a MicroPython prompt answers, the firmware is not running"),
            _("Press EN (reset). If the prompt comes again, run: tallypost flash --port {port}"),
        )
    if received.count(b"rst:0x") >= _RESETS_MIN:
        return (
            _("the board resets again and again"),
            _("Check its power supply. If that is good, run: tallypost flash --port {port}"),
        )
    return None


def _guessed(received: bytes) -> tuple[str, str]:
    """(description, next step) for any other device, and for silence."""
    if not received:
        return (
            _("nothing answers, no byte was received"),
            _("Check the power of the board and the name of the port. See: tallypost list"),
        )
    if _LOG_LINE.search(received):
        return (
            _("the node writes its log but does not answer"),
            _("Its firmware is old, or its RX wire is open. Run: tallypost flash --port {port}"),
        )
    odd = sum(byte > 126 or (byte < 32 and byte not in b"\r\n\t\x1b") for byte in received)
    if odd * 5 > len(received):
        return (
            _("{n} bytes came that are no text, so this is no node").format(n=len(received)),
            _("It is another device, such as a radar, or --baud is wrong: a node has 115200."),
        )
    lines = received.decode("ascii", "replace").strip().splitlines()
    return (
        _("no node answers, the device sent: {text}").format(
            text=repr(lines[0][:_SHOWN_CHARACTERS] if lines else "")
        ),
        _("Check that this is the port of the node. See: tallypost list"),
    )
