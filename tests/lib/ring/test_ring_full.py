# heap: 4m
"""The ring at its real size: capacity, and the cost of recovery."""

import random

from nor import Nor
from ring import INTERVAL, Ring


def _open(flash):
    ring = Ring(flash, random.getrandbits)
    ring.open()
    return ring


def test_recovery_of_a_full_megabyte_is_bounded():
    flash = Nor(256, 4096)
    ring = _open(flash)
    payload = bytes(100)
    for _ in range(9500):
        ring.append(INTERVAL, payload)
        if ring.next_seq % 4 == 0:
            ring.prepare()
    held = ring.next_seq - ring.first_seq
    flash.reads = 0
    again = _open(flash)
    assert again.next_seq == 9501 and flash.reads <= 80
    assert held >= 90 * 96
