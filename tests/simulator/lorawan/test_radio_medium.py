"""Radio medium and gateway: which receiver gets which signal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.world.lorawan.gateway import Gateway
from simulator.world.lorawan.radio_medium import (
    PREAMBLE_SYMBOLS,
    ReceiveWindow,
    Signal,
    lorawan_modulation,
)
from simulator.world.lorawan.server import Downlink, Reception
from tests.support.boards.radio_bench import Bench, SignalRecorder

UP = Signal("n1", 1_000_000, 868_100_012, lorawan_modulation(7, 125_000, False), b"up", True)


class Answering:
    """Answers every uplink after a second."""

    def __init__(self) -> None:
        self.got: list[Reception] = []

    def uplink(self, got: Reception) -> Downlink | None:
        self.got.append(got)
        return Downlink(got.end_us + 1_000_000, got.freq_hz, got.sf, got.bw_hz, b"down", 1)


class Setup:
    def __init__(self, clock_ppm: float = 0) -> None:
        self.bench = Bench()
        self.medium = self.bench.medium
        self.network = Answering()
        self.gateway = Gateway(self.medium, self.network, self.bench.call_at, clock_ppm=clock_ppm)
        self.far = SignalRecorder(self.medium)

    def hear(self, *signals: Signal) -> int:
        """How many of the signals the network gets."""
        for signal in signals:
            self.medium.send(signal)
        self.bench.wait(60_000_000)
        return len(self.network.got)


def test_an_uplink_and_its_answer() -> None:
    setup = Setup()
    assert setup.hear(UP) == 1
    (got,) = setup.network.got
    assert (got.raw, got.freq_hz, got.sf) == (b"up", 868_100_000, 7)
    down = setup.far.signals[-1]
    assert down.begin_us == UP.end_us() + 1_000_000
    assert (down.modulation.inverted, down.crc, down.dbm) == (True, False, 14)


def test_a_clock_that_is_wrong_moves_the_answer() -> None:
    setup = Setup(clock_ppm=-40)
    setup.hear(UP)
    assert setup.far.signals[-1].begin_us == UP.end_us() + 1_000_000 - 40


@pytest.mark.parametrize(
    "signal",
    [
        replace(UP, modulation=lorawan_modulation(7, 125_000, True)),
        replace(UP, modulation=replace(UP.modulation, sync=0x12)),
        replace(UP, modulation=replace(UP.modulation, slow=True)),
        replace(UP, modulation=lorawan_modulation(7, 500_000, False)),
        replace(UP, freq_hz=868_650_000),
        replace(UP, crc=False),
        replace(UP, dbm=-20.0),
    ],
    ids=("IQ", "sync word", "optimisation", "bandwidth", "no sub-band", "no CRC", "weak"),
)
def test_a_signal_that_does_not_fit_is_not_received(signal: Signal) -> None:
    assert Setup().hear(signal) == 0


def test_a_long_path_needs_a_slow_data_rate() -> None:
    for sf, heard in ((7, 0), (10, 0), (11, 1), (12, 1)):
        setup = Setup()
        setup.medium.path_db = 147.0  # -16 dB of signal to noise
        assert (
            setup.hear(replace(UP, modulation=lorawan_modulation(sf, 125_000, False))) == heard
        ), sf


def test_collisions_and_the_stronger_one() -> None:
    other = replace(UP, sender="n2", begin_us=UP.begin_us + 10_000)
    assert Setup().hear(UP, other) == 0
    assert Setup().hear(UP, replace(other, dbm=5.0)) == 1
    assert Setup().hear(UP, replace(other, freq_hz=868_300_000)) == 2
    assert Setup().hear(UP, replace(other, modulation=lorawan_modulation(9, 125_000, False))) == 2
    assert Setup().hear(UP, replace(other, begin_us=UP.end_us())) == 2


def test_a_gateway_is_deaf_while_it_sends_and_when_it_is_away() -> None:
    setup = Setup()
    answer_us = UP.end_us() + 1_000_000
    assert setup.hear(UP, replace(UP, begin_us=answer_us + 5000, freq_hz=868_500_000)) == 1
    setup.gateway.away.append((100_000_000, 200_000_000))
    for begin_us, total in ((99_990_000, 1), (150_000_000, 1), (200_000_001, 2)):
        assert setup.hear(replace(UP, begin_us=begin_us)) == total


def test_a_fifth_is_lost() -> None:
    setup = Setup()
    setup.medium.loss = 0.2
    heard = setup.hear(*(replace(UP, begin_us=UP.begin_us * n) for n in range(1, 300)))
    assert 20 <= heard <= 50  # of the 60 that come before the minute is over
    setup.bench.wait(300_000_000)
    assert 0.7 < len(setup.network.got) / 299 < 0.9


def test_a_window_wants_six_symbols_of_the_preamble() -> None:
    down = replace(UP, modulation=lorawan_modulation(7, 125_000, True), begin_us=1_000_000)
    opened = ReceiveWindow(down.begin_us, down.begin_us + 8 * 1024, down.freq_hz, down.modulation)
    assert opened.locks_us(down) == down.begin_us + 6 * 1024
    late = replace(opened, open_us=down.begin_us + 2 * 1024)
    assert late.locks_us(down) == down.begin_us + PREAMBLE_SYMBOLS * 1024
    assert replace(late, open_us=late.open_us + 1).locks_us(down) is None
    assert replace(opened, close_us=down.begin_us + 6 * 1024 - 1).locks_us(down) is None
    assert replace(opened, close_us=None, open_us=0).locks_us(down) is not None
