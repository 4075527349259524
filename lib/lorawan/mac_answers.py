"""Answers of the device to MAC commands, and the numbers of its own requests.

`commands.py` carries out the network's commands. It is not in memory all the time, this is.
"""

from micropython import const

LINK_CHECK = const(2)
DEVICE_TIME = const(13)

# By number of an answer: bytes behind the number.
_ANSWER = b"\0\0\0\1\0\1\2\1\0\0\1\0\0\0"
_STICKY = (5, 8, 9, 10)  # RXParamSetup, RXTimingSetup, TxParamSetup, DlChannel


def answers_that_fit(answers, room):
    """Bytes of the longest run of whole answers that fits into `room` bytes."""
    at = 0
    while at < len(answers):
        end = at + 1 + _ANSWER[answers[at]]
        if end > room:
            break
        at = end
    return at


def sticky(answers):
    """The answers that every uplink repeats until a downlink comes in (5.4, 5.6, 5.7)."""
    kept, at = bytearray(), 0
    while at < len(answers):
        end = at + 1 + _ANSWER[answers[at]]
        if answers[at] in _STICKY:
            kept += answers[at:end]
        at = end
    return kept
