"""The radio medium between a node and its gateways: which receiver gets which signal.

`IdealWindow` is the ideal receiver of the tests without a chip. `RadioMedium` carries signals
between transceivers: airtime, frequency, spreading, IQ, sync word, path loss, collisions, random
loss.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from simulator.world.lorawan import plan
from simulator.world.lorawan.server import Downlink

PREAMBLE_SYMBOLS = 8
LOCK_SYMBOLS_MIN = 6  # of the preamble, to find it
NOISE_FIGURE_DB = 6.0
CAPTURE_DB = 6.0  # a signal stronger by this survives another one of its spreading factor
# One of another spreading factor spoils a frame when it is stronger by this. Croce et al., Impact
# of LoRa Imperfect Orthogonality, 2018: the strictest figure for each spreading factor.
REJECTION_DB = {7: 8.0, 8: 11.0, 9: 13.0, 10: 17.0, 11: 20.0, 12: 23.0}
HISTORY_US = 20_000_000  # longer than any frame
SYNC_PUBLIC = 0x34


@dataclass(frozen=True)
class IdealWindow:
    """open_us: when the receiver really begins to listen. symbols: until it gives up."""

    open_us: int
    freq_hz: int
    sf: int
    bw_hz: int
    symbols: int

    def close_us(self) -> int:
        return self.open_us + round(self.symbols * plan.symbol_us(self.sf, self.bw_hz))

    def hears(self, down: Downlink) -> bool:
        """Whether enough of the preamble falls into the window."""
        tuned = (self.freq_hz, self.sf, self.bw_hz) == (down.freq_hz, down.sf, down.bw_hz)
        tsym = plan.symbol_us(self.sf, self.bw_hz)
        begin = max(self.open_us, down.begin_us)
        end = min(self.close_us(), down.begin_us + PREAMBLE_SYMBOLS * tsym)
        return tuned and end - begin >= LOCK_SYMBOLS_MIN * tsym


def end_us(down: Downlink) -> int:
    """When a downlink has been received. Downlinks carry no CRC."""
    return down.begin_us + round(plan.airtime_us(down.sf, down.bw_hz, len(down.raw), False))


@dataclass(frozen=True)
class Modulation:
    """Everything that a sender and a receiver must agree on, apart from the frequency."""

    sf: int
    bw_hz: int
    inverted: bool
    sync: int = SYNC_PUBLIC
    slow: bool = False  # low data rate optimisation

    def symbol_us(self) -> float:
        return plan.symbol_us(self.sf, self.bw_hz)


def lorawan_modulation(sf: int, bw_hz: int, inverted: bool) -> Modulation:
    """The modulation of LoRaWAN."""
    return Modulation(sf, bw_hz, inverted, slow=plan.symbol_us(sf, bw_hz) >= 16_000)


@dataclass(frozen=True)
class Signal:
    """A frame on air. sender: its name. dbm: as radiated. crc: whether it carries one."""

    sender: str
    begin_us: int
    freq_hz: int
    modulation: Modulation
    raw: bytes
    crc: bool
    dbm: float = 14.0
    preamble: int = PREAMBLE_SYMBOLS

    def end_us(self) -> int:
        us = plan.airtime_us(self.modulation.sf, self.modulation.bw_hz, len(self.raw), self.crc)
        longer = (self.preamble - PREAMBLE_SYMBOLS) * self.modulation.symbol_us()
        return self.begin_us + round(us + longer)

    def overlaps(self, other: Signal) -> bool:
        return self.begin_us < other.end_us() and other.begin_us < self.end_us()


@dataclass(frozen=True)
class ReceivedFrame:
    """A frame as a receiver got it. damaged: another signal was on air, too."""

    signal: Signal
    rssi: float
    snr: float
    damaged: bool


class Receiver(Protocol):
    name: str

    def begins(self, signal: Signal) -> None: ...


CallAt = Callable[[int, Callable[[], None]], None]


class RadioMedium:
    """call_at: the world's clock. loss: share of signals that a receiver misses. path_db: loss
    between any two transceivers. sent: everything so far.
    """

    def __init__(self, call_at: CallAt, rng: random.Random, path_db: float = 110.0) -> None:
        self._call_at = call_at
        self._rng = rng
        self._receivers: list[Receiver] = []
        self._recent: list[Signal] = []
        self._missed: set[tuple[str, int, str]] = set()  # sender, beginning, receiver
        self.path_db = path_db
        self.loss = 0.0
        self.lost = 0
        self.sent: list[Signal] = []

    def join(self, receiver: Receiver) -> None:
        self._receivers.append(receiver)

    def send(self, signal: Signal) -> None:
        """Put a signal on air that begins now or later."""
        self.sent.append(signal)
        self._call_at(signal.begin_us, lambda: self._begin(signal))

    def _begin(self, signal: Signal) -> None:
        self._recent = [s for s in self._recent if s.end_us() > signal.begin_us - HISTORY_US]
        self._recent.append(signal)
        for receiver in self._receivers:
            if receiver.name == signal.sender:
                continue
            if self._rng.random() < self.loss:
                self.lost += 1
                self._missed.add((signal.sender, signal.begin_us, receiver.name))
            else:
                receiver.begins(signal)

    def audible_signals(self, t_us: int, receiver: str) -> list[Signal]:
        """Signals that have begun and are not lost on this receiver."""
        there = [s for s in self._recent if s.sender != receiver and s.end_us() > t_us]
        return [s for s in there if not self.is_missed(s, receiver)]

    def is_missed(self, signal: Signal, receiver: str) -> bool:
        """Whether it is one of those that are lost at random."""
        return (signal.sender, signal.begin_us, receiver) in self._missed

    def path_of(self, _signal: Signal) -> float:
        """Loss in dB from its sender to any receiver."""
        return self.path_db

    def strength(self, signal: Signal) -> tuple[float, float]:
        """(RSSI in dBm, SNR in dB) at any receiver."""
        rssi = signal.dbm - self.path_of(signal)
        noise = -174.0 + 10 * math.log10(signal.modulation.bw_hz) + NOISE_FIGURE_DB
        return rssi, min(rssi - noise, 10.0)

    def is_audible(self, signal: Signal) -> bool:
        return self.strength(signal)[1] >= plan.SNR_MIN_DB[signal.modulation.sf]

    def receive(self, signal: Signal) -> ReceivedFrame:
        """The frame that a receiver has at the end of a signal."""
        rssi, snr = self.strength(signal)
        others = [s for s in self._recent if s is not signal and s.overlaps(signal)]
        damaged = any(self._disturbs(other, signal) for other in others)
        return ReceivedFrame(signal, rssi, snr, damaged)

    def _disturbs(self, other: Signal, signal: Signal) -> bool:
        """Inverted chirps hardly disturb the others."""
        ours, theirs = signal.modulation, other.modulation
        alike = (theirs.bw_hz, theirs.inverted) == (ours.bw_hz, ours.inverted)
        if not alike or not same_channel(other.freq_hz, signal.freq_hz, ours.bw_hz):
            return False
        margin_db = self.strength(signal)[0] - self.strength(other)[0]
        return margin_db < (CAPTURE_DB if theirs.sf == ours.sf else -REJECTION_DB[ours.sf])


def same_channel(one_hz: int, other_hz: int, bw_hz: int) -> bool:
    return abs(one_hz - other_hz) < bw_hz / 4


@dataclass(frozen=True)
class ReceiveWindow:
    """A receiver that is on. close_us: None = it never gives up."""

    open_us: int
    close_us: int | None
    freq_hz: int
    modulation: Modulation

    def locks_us(self, signal: Signal) -> int | None:
        """When it has found the signal's preamble. None if it does not."""
        if signal.modulation != self.modulation or not same_channel(
            signal.freq_hz, self.freq_hz, self.modulation.bw_hz
        ):
            return None
        tsym = self.modulation.symbol_us()
        found = math.ceil(max(self.open_us, signal.begin_us) + LOCK_SYMBOLS_MIN * tsym)
        last = signal.begin_us + signal.preamble * tsym
        if self.close_us is not None:
            last = min(last, self.close_us)
        return found if found <= last else None
