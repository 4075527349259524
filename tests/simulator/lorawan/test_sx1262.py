"""The emulated SX1262 follows its data sheet and notices forbidden actions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.world.lorawan.radio_medium import Signal, lorawan_modulation
from simulator.world.lorawan.transceivers.sx1262 import Sx1262
from tests.support.boards.radio_bench import Bench, SignalRecorder

START = (
    "8000", "970200" + "0140", "070000", "897f", "9d01", "98d7db", "8a01", "8f0000", "9330",
    "0d07403444", "0d08d8de", "0802630263" + "0000" + "0000",
)  # fmt: skip
TUNE = ("8001", "863641999a", "8b07040100", "0d088905")
DOWN = Signal("net", 0, 868_100_000, lorawan_modulation(7, 125_000, True), b"downlink", False)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.chip = Sx1262("n1", bench, bench.medium)
    bench.power()
    for command in START:
        bench.send(command)
    return bench


def send(bench: Bench, *commands: str) -> None:
    for command in commands:
        bench.send(command)


def window(bench: Bench, symbols: str = "08", register: str = "20", iq: str = "01") -> None:
    """Open a receive window at the present time."""
    polarity = "09" if iq == "01" else "0d"
    send(bench, *TUNE, "8c000800ff00" + iq, "0d0736" + polarity, "a0" + symbols)
    send(bench, "0d0706" + register)
    bench.send("82000000", 100)


def hear(bench: Bench, signal: Signal, after_us: int = 0) -> str:
    """GetIrqStatus after a signal."""
    bench.medium.send(replace(signal, begin_us=bench.now_us + after_us))
    bench.wait(500_000)
    return bench.send("12000000")[2:].hex()


def test_busy_after_reset_and_calibration() -> None:
    bench = Bench()
    bench.chip = Sx1262("n1", bench, bench.medium)
    bench.chip.reset(1)
    assert bench.levels["busy"] == 1
    bench.wait(3400)
    assert bench.levels["busy"] == 1
    bench.wait(200)
    assert bench.levels["busy"] == 0
    bench.send("8000")
    bench.send("9702000140", 100)
    bench.send("897f", 8000)
    assert bench.levels["busy"] == 1  # 5 ms of the TCXO, 3.5 ms of the calibration
    bench.wait(600)
    assert bench.levels["busy"] == 0


def test_a_transmission_lasts_its_time_on_air(bench: Bench) -> None:
    far = SignalRecorder(bench.medium)
    send(bench, *TUNE, "9502020001", "8e1604", "8c000800030100", "0e00616263")
    bench.send("83000000", 0)
    begin = bench.now_us
    bench.wait(200_000)
    (signal,) = far.signals
    assert (signal.raw, signal.crc, signal.dbm) == (b"abc", True, 14)
    assert (signal.modulation.sf, signal.modulation.inverted, signal.modulation.sync) == (
        7,
        False,
        0x34,
    )
    assert abs(signal.freq_hz - 868_100_000) <= 1
    (done,) = bench.rises("dio1")
    assert done == signal.end_us() == begin + 105 + 30_976 and bench.chip.violations == []
    assert bench.send("12000000")[2:].hex() == "0001"
    bench.send("020001")
    assert bench.levels["dio1"] == 0


def test_a_frame_in_a_window(bench: Bench) -> None:
    window(bench)
    assert hear(bench, DOWN, 1000) == "0002"
    size, start = bench.send("13000000")[2:]
    assert bench.send("1e%02x00" % start + "00" * size)[3:] == b"downlink"
    assert bench.send("1400000000")[2:].hex() == "c028c0"  # -96 dBm, 10 dB
    assert bench.chip.violations == []


def test_the_window_ends_after_its_symbols(bench: Bench) -> None:
    opened = bench.now_us
    window(bench, "48", "49")
    assert opened < bench.now_us
    bench.wait(200_000)
    (opening,) = bench.chip.windows
    assert opening.close_us - opening.open_us == 72 * 1024
    assert bench.rises("dio1") == [opening.close_us]
    assert bench.send("12000000")[2:].hex() == "0200"


@pytest.mark.parametrize("after_us", (1900, 2048, 8000))
def test_too_short_a_preamble_is_not_received(bench: Bench, after_us: int) -> None:
    window(bench)
    assert hear(bench, DOWN, after_us) == ("0002" if after_us == 1900 else "0200")


@pytest.mark.parametrize(
    "signal",
    [
        replace(DOWN, freq_hz=868_300_000),
        replace(DOWN, modulation=lorawan_modulation(8, 125_000, True)),
        replace(DOWN, modulation=lorawan_modulation(7, 250_000, True)),
        replace(DOWN, modulation=lorawan_modulation(7, 125_000, False)),
        replace(DOWN, modulation=replace(DOWN.modulation, sync=0x12)),
        replace(DOWN, modulation=replace(DOWN.modulation, slow=True)),
        replace(DOWN, dbm=-30.0),
    ],
    ids=("frequency", "SF", "bandwidth", "IQ", "sync word", "optimisation", "weak"),
)
def test_a_signal_that_does_not_fit_the_window_is_not_heard(bench: Bench, signal: Signal) -> None:
    window(bench)
    assert hear(bench, signal, 500) == "0200"


def test_a_collision_spoils_the_frame(bench: Bench) -> None:
    window(bench)
    bench.medium.send(replace(DOWN, sender="b", begin_us=bench.now_us + 20_000, raw=bytes(30)))
    assert hear(bench, replace(DOWN, crc=True), 500) == "0042"
    window(bench)
    bench.medium.send(replace(DOWN, sender="b", begin_us=bench.now_us + 20_000, dbm=5.0))
    assert hear(bench, DOWN, 500) == "0042"  # of before, not cleared; and now intact
    assert bench.send("1e0000" + "00" * 8)[3:] == b"downlink"


def said(bench: Bench, *commands: str) -> str:
    bench.chip.violations.clear()
    send(bench, *commands)
    return " | ".join(text.split(": ", 1)[1] for text in bench.chip.violations)


def test_misuse_is_recorded(bench: Bench) -> None:
    assert said(bench, "42") == "command 42"
    assert said(bench, "8001ff") == "command 80 with 2 bytes"
    assert said(bench, "0d099900") == "register 0999 written"
    assert said(bench, "1d09990000") == "register 0999 read"
    assert said(bench, "0eff0102") == "the buffer runs over"
    assert said(bench, "9504070101") == "power amplifier 04070101 on an SX1262"
    assert "over-stressed" in said(bench, "9507070001")
    assert said(bench, "8a01", "8c000800030100") == "packet parameters before the modulation"
    assert said(bench, "8a00", "8b07040100") == "modulation before the packet type"
    assert said(bench, "9310") == "fall-back mode 10"


def test_a_command_while_busy_is_recorded_and_ignored(bench: Bench) -> None:
    bench.send("897f", 0)
    bench.send("0d07401424")
    assert "a command while BUSY" in bench.chip.violations[-1]
    assert bench.send("1d0740000000")[4:].hex() == "3444"


def test_a_command_that_a_power_cut_has_cut_short_is_not_carried_out(bench: Bench) -> None:
    bench.chip.select(0)
    bench.chip.transfer(bytes.fromhex("83000000"))
    bench.power()
    bench.chip.select(1)  # what the node does first in its next life
    bench.wait(10_000)
    assert bench.chip.violations == []


def test_the_image_is_calibrated_for_the_band_on_air(bench: Bench) -> None:
    """863 to 870, 902 to 928 MHz; 923.2 MHz is 39b33333."""
    ready = ("8001", "8639b33333", "8b07040100", "0d088905", "9502020001", "8e1604")
    ready += ("8c000800030100", "0e00616263")
    for image, wrong in (("d7db", True), ("e1e9", False)):
        send(bench, "8000", "98" + image)
        text = said(bench, *ready, "83000000")
        assert ("image" in text) == wrong, text
        bench.wait(100_000)


def test_errata_that_were_forgotten(bench: Bench) -> None:
    ready = (*TUNE, "9502020001", "8e1604", "8c000800030100", "0e00616263")
    assert said(bench, *ready, "0d088901", "83000000") == "errata 15.1: register 0889"
    bench.wait(100_000)
    assert said(bench, *ready, "0d08d8c8", "83000000") == "errata 15.2: register 08d8"
    bench.wait(100_000)
    assert said(bench, *ready, "0d08d8de", "0d073609", "83000000") == "errata 15.4: register 0736"


def test_settings_while_on_air_are_misuse(bench: Bench) -> None:
    window(bench, "00", "00")
    assert said(bench, "863641999a") == "command 86 in rx"
