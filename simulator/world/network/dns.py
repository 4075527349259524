"""A name server: answers questions for an IPv4 address (RFC 1035)."""

from __future__ import annotations

import ipaddress
import struct

NO_SUCH_NAME = 3


def queried_name(question: bytes) -> str:
    """The name in a question. Raises IndexError when the question is cut short."""
    labels, at = [], 12
    while size := question[at]:
        labels.append(question[at + 1 : at + 1 + size].decode(errors="replace"))
        at += 1 + size
    return ".".join(labels)


def answer(question: bytes, address: str) -> bytes:
    """The server's answer. No address means that the name does not exist."""
    found = [address] if address else []
    flags = 0x8180 | (0 if found else NO_SUCH_NAME)
    head = question[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
    records = [
        struct.pack("!HHHIH", 0xC00C, 1, 1, 300, 4) + ipaddress.IPv4Address(each).packed
        for each in found
    ]
    return head + question[12:] + b"".join(records)
