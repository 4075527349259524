"""A gateway: receives uplinks on the channels of its region, sends downlinks of the network.

It is deaf while it sends, and away in the given spans. Its clock is wrong by `clock_ppm`: a
downlink that is due a second after the uplink begins a little sooner or later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from simulator.world.lorawan import radio_medium
from simulator.world.lorawan.radio_medium import RadioMedium, ReceivedFrame, Signal
from simulator.world.lorawan.regions import EU868, Region
from simulator.world.lorawan.server import Downlink, Reception

Scheduler = Callable[[int, Callable[[], None]], None]


class UplinkHandler(Protocol):
    """Handles an uplink. Returns the answer, if there is one at once."""

    def uplink(self, got: Reception) -> Downlink | None: ...


class Gateway:
    """away: (from, to) in microseconds. received: frames that came in. refused: downlinks that
    could not go out.
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
    ) -> None:
        self.name = name
        self._region = region
        self._medium = medium
        self._network = network
        self._call_at = call_at
        self._clock_ppm = clock_ppm
        self.away = list(away)
        self._sending: list[Signal] = []
        self.received: list[ReceivedFrame] = []
        self.deaf = 0
        self.refused: list[str] = []
        medium.join(self)

    def begins(self, signal: Signal) -> None:
        modulation = radio_medium.lorawan_modulation(
            signal.modulation.sf, signal.modulation.bw_hz, False
        )
        known = self._region.can_receive(_nominal(signal.freq_hz), modulation.sf, modulation.bw_hz)
        if known and signal.modulation == modulation and self._medium.is_audible(signal):
            self._call_at(signal.end_us(), lambda: self._end(signal))

    def _end(self, signal: Signal) -> None:
        if self._is_away(signal) or any(sent.overlaps(signal) for sent in self._sending):
            self.deaf += 1
            return
        frame = self._medium.receive(signal)
        if frame.damaged or not signal.crc:
            self.deaf += 1
            return
        self.received.append(frame)
        modulation, end = signal.modulation, signal.end_us()
        got = Reception(
            signal.raw, end, _nominal(signal.freq_hz), modulation.sf, modulation.bw_hz, frame.snr
        )
        down = self._network.uplink(got)
        if down:
            late = round((down.begin_us - end) * self._clock_ppm / 1e6)
            self.send(down, down.begin_us + late)

    def _is_away(self, signal: Signal) -> bool:
        return any(start <= signal.end_us() and signal.begin_us < end for start, end in self.away)

    def send(self, down: Downlink, begin_us: int) -> None:
        dbm = self._region.downlink_dbm(down.freq_hz)
        modulation = radio_medium.lorawan_modulation(down.sf, down.bw_hz, True)
        signal = Signal(self.name, begin_us, down.freq_hz, modulation, down.raw, False, dbm)
        if any(sent.overlaps(signal) for sent in self._sending):
            self.refused.append(f"{begin_us}: collision of downlinks")
            return
        self._sending = [
            s for s in self._sending if s.end_us() > begin_us - radio_medium.HISTORY_US
        ]
        self._sending.append(signal)
        self._medium.send(signal)


def _nominal(freq_hz: int) -> int:
    """A synthesizer is some hertz off. Channels are multiples of 100 Hz."""
    return round(freq_hz / 100) * 100
