"""What is at the other end of a serial line, by what was heard of it: an error with a next step.

Sources: ESP32 Technical Reference Manual, boot messages of the ROM; ports/esp32/modules/_boot.py
and inisetup.py of MicroPython 1.25 (the damaged file system); shared/runtime/pyexec.c (prompts).
"""

from __future__ import annotations

import re

from tallypost.faults import ToolError

_PROMPT = re.compile(rb"(^|\n)>>> |raw REPL; CTRL-B")
_LOG_LINE = re.compile(rb"(^|\n)\d+ (debug|info|warn|error) ")
_RESETS = 3  # so many in a few seconds are a loop
_FLASH = "tallypost flash --port {port}"


def certain(heard: bytes) -> bool:
    """Whether waiting longer will not change what it is."""
    return _named(heard) is not None


def explain(port: str, heard: bytes) -> ToolError:
    """What to tell of a port that did not answer."""
    what, hint = _named(heard) or _guessed(heard)
    return ToolError(f"{port}: {what}", hint.format(port=port))


def _named(heard: bytes) -> tuple[str, str] | None:
    """(what it is, the next step) for what names itself; None for all else."""
    if b"filesystem appears to be corrupted" in heard:
        return "the board's file system is damaged", f"{_FLASH} writes it anew, counts stay"
    if b"invalid header: 0x" in heard or b"No bootable app" in heard:
        return "there is no firmware in the board's flash", _FLASH + " --micropython FILE"
    if b"waiting for download" in heard:
        return (
            "the board waits in its bootloader",
            "let go of BOOT and press EN (reset), then the same command",
        )
    if _PROMPT.search(heard):
        return (
            "a MicroPython prompt answers, the firmware is not running",
            f"press EN (reset); if it comes again: {_FLASH}",
        )
    if heard.count(b"rst:0x") >= _RESETS:
        return "the board resets again and again", f"a weak supply, or {_FLASH}"
    return None


def _guessed(heard: bytes) -> tuple[str, str]:
    if not heard:
        return (
            "nothing answers, not a byte was heard",
            "is the board powered, and this its port? tallypost list shows the ports",
        )
    if _LOG_LINE.search(heard):
        return (
            "the node writes its log and does not answer",
            f"an old firmware: {_FLASH}; or its RX line is open",
        )
    odd = sum(byte > 126 or (byte < 32 and byte not in b"\r\n\t\x1b") for byte in heard)
    if odd * 5 > len(heard):
        return (
            f"{len(heard)} bytes of nonsense were heard, no node",
            "another device (a radar?) or another baud rate: --baud, 115200 is a node's",
        )
    first = heard.decode("ascii", "replace").strip().splitlines()[:1]
    return (
        f"no node answers; what was heard begins with {first[0][:60] if first else ''!r}",
        "is this the node's port? tallypost list shows the ports",
    )
