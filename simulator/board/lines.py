"""DTR and RTS of the serial port, and the DevKit's auto-reset circuit behind them.

Two crossed transistors, so that a terminal that asserts both lines does not hold the chip in reset
(ESP32-DevKitC V4 schematic, sheet "auto program", esptool documentation, "Boot Mode Selection",
section "Automatic Bootloader"):

    DTR  RTS   EN   IO0
     0    0     1    1
     1    1     1    1
     1    0     1    0
     0    1     0    1

A capacitor keeps EN low for a while when the lines pass from reset through "both". Programs change
them one after the other on the way to "IO0 low". Over a network 50 ms lie between the two changes,
so this one holds for a quarter of a second.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

HOLD_S = 0.25


@dataclass
class AutoReset:
    """en, io0: levels at the chip. strap: level of IO0 when EN rose last, which decides the boot
    mode. held_until: end of the time in which only the capacitor holds EN low, else 0.
    """

    en: bool = True
    io0: bool = True
    strap: bool = True
    held_until: float = 0.0

    def set(self, dtr: bool, rts: bool) -> None:
        """The lines have changed. True is asserted."""
        both = dtr and rts
        self.io0 = both or not dtr
        if both and not self.en:
            self.held_until = self.held_until or time.monotonic() + HOLD_S
            return
        self.held_until = 0.0
        was, self.en = self.en, dtr or not rts
        if self.en and not was:
            self.strap = self.io0

    def settle(self) -> float:
        """EN rises when the capacitor is charged. Return the seconds until then, 0 if settled."""
        if not self.held_until:
            return 0.0
        left_s = self.held_until - time.monotonic()
        if left_s > 0:
            return left_s
        self.held_until = 0.0
        self.en = self.strap = True
        return 0.0
