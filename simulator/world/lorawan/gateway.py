"""A gateway: receives uplinks on the channels of its region, sends downlinks of the network.

It is deaf while it sends, and away in the given spans. It receives eight frames at a time. Its
clock is wrong by `clock_ppm`: a downlink that is due a second after the uplink begins a little
sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simulator.world.lorawan import radio_medium
from simulator.world.lorawan.radio_medium import RadioMedium, ReceivedFrame, Signal
from simulator.world.lorawan.regions import EU868, Region
from simulator.world.lorawan.server import Downlink, Reception

Scheduler = Callable[[int, Callable[[], None]], None]
DEMODULATORS = 8  # of an SX1301, for all channels and spreading factors of 125 kHz together
HOUR_US = 3_600_000_000


class UplinkHandler(Protocol):
    """Handles an uplink. Returns the answer, if there is one at once."""

    def uplink(self, got: Reception) -> Downlink | None: ...


class Gateway:
    """away: (from, to) in microseconds. received: frames that came in. spoiled: frames on its
    channels that did not, and why. refused: downlinks that could not go out.

    keeps_duty_cycle: a downlink that would exceed the share of its band is sent in RX2, or not at
    all.
    """

    def __init__(
        self,
        medium: RadioMedium,
        network: UplinkHandler,
        call_at: Scheduler,
        *,
        name: str = "gateway",
        clock_ppm: float = 0.0,
        away: Sequence[tuple[int, int]] = (),
        region: Region = EU868,
        keeps_duty_cycle: bool = False,
    ) -> None:
        self.name = name
        self._region = region
        self._medium = medium
        self._network = network
        self._call_at = call_at
        self._clock_ppm = clock_ppm
        self.away = list(away)
        self._keeps_duty_cycle = keeps_duty_cycle
        self._sending: list[Signal] = []
        self._demodulating: list[Signal] = []
        self.received: list[ReceivedFrame] = []
        self.spoiled: list[tuple[Signal, str]] = []
        self.refused: list[str] = []
        medium.join(self)

    def begins(self, signal: Signal) -> None:
        modulation = radio_medium.lorawan_modulation(
            signal.modulation.sf, signal.modulation.bw_hz, False
        )
        known = self._region.can_receive(_nominal(signal.freq_hz), modulation.sf, modulation.bw_hz)
        if not known or signal.modulation != modulation:
            return
        self._demodulating = [s for s in self._demodulating if s.end_us() > signal.begin_us]
        if not self._medium.is_audible(signal):
            self.spoiled.append((signal, "weak"))
        elif len(self._demodulating) == DEMODULATORS:
            self.spoiled.append((signal, "demodulators"))
        else:
            self._demodulating.append(signal)
            self._call_at(signal.end_us(), lambda: self._end(signal))

    def _end(self, signal: Signal) -> None:
        frame = self._medium.receive(signal)
        if cause := self._cause(frame):
            self.spoiled.append((signal, cause))
            return
        self.received.append(frame)
        modulation, end = signal.modulation, signal.end_us()
        got = Reception(
            signal.raw, end, _nominal(signal.freq_hz), modulation.sf, modulation.bw_hz, frame.snr
        )
        down = self._network.uplink(got)
        if down:
            self._answer(down, end)

    def _answer(self, down: Downlink, end_us: int) -> None:
        """Send it, in RX2 if it cannot be sent in RX1."""
        tries = [down, down.instead] if down.instead and self._keeps_duty_cycle else [down]
        for one in tries:
            late = round((one.begin_us - end_us) * self._clock_ppm / 1e6)
            if self.send(one, one.begin_us + late):
                return

    def _cause(self, frame: ReceivedFrame) -> str:
        """Why it does not come in. Empty if it does."""
        signal = frame.signal
        if self._is_away(signal):
            return "away"
        if any(sent.overlaps(signal) for sent in self._sending):
            return "gateway_sends"
        if frame.damaged:
            return "collision"
        return "" if signal.crc else "no_crc"

    def _is_away(self, signal: Signal) -> bool:
        return any(start <= signal.end_us() and signal.begin_us < end for start, end in self.away)

    def send(self, down: Downlink, begin_us: int) -> bool:
        """Whether it goes out."""
        dbm = self._region.downlink_dbm(down.freq_hz)
        modulation = radio_medium.lorawan_modulation(down.sf, down.bw_hz, True)
        signal = Signal(self.name, begin_us, down.freq_hz, modulation, down.raw, False, dbm)
        if any(sent.overlaps(signal) for sent in self._sending):
            self.refused.append(f"{begin_us}: collision of downlinks")
            return False
        self._sending = [s for s in self._sending if s.end_us() > begin_us - HOUR_US]
        if self._keeps_duty_cycle and self._exceeds(signal):
            self.refused.append(f"{begin_us}: duty cycle at {down.freq_hz} Hz")
            return False
        self._sending.append(signal)
        self._medium.send(signal)
        return True

    def _exceeds(self, signal: Signal) -> bool:
        """Whether it is too much for its band in this hour (EN 300 220)."""
        region, band = self._region, self._region.band(signal.freq_hz)
        same = [s for s in self._sending if region.band(s.freq_hz) == band]
        used_us = sum(s.end_us() - s.begin_us for s in [*same, signal])
        return used_us > region.duty_cycle(signal.freq_hz) * HOUR_US


def _nominal(freq_hz: int) -> int:
    """A synthesizer is some hertz off. Channels are multiples of 100 Hz."""
    return round(freq_hz / 100) * 100
