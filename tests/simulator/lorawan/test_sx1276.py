"""The emulated SX1276 follows its data sheet and notices forbidden actions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.world.lorawan.radio_medium import Signal, lorawan_modulation
from simulator.world.lorawan.transceivers.sx1276 import Sx1276
from tests.support.boards.radio_bench import Bench, SignalRecorder

START = (
    "8101", "8900", "86d90000", "bb42", "8100", "8180", "8181", "8e0000", "b934", "b143",
    "af4000", "86d90666", "9d727400", "a604",
)  # fmt: skip
DOWN = Signal("net", 0, 868_100_000, lorawan_modulation(7, 125_000, True), b"downlink", False)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.chip = Sx1276("n1", bench, bench.medium)
    bench.power()
    send(bench, *START)
    return bench


def send(bench: Bench, *commands: str) -> None:
    for command in commands:
        bench.send(command, 20_000)


def window(bench: Bench, symbols: int = 8) -> None:
    send(bench, "92ff", "c000", "b367", "bb19", f"9e{0x70 | symbols >> 8:02x}{symbols & 255:02x}")
    bench.send("8186", 200)


def hear(bench: Bench, signal: Signal, after_us: int = 0) -> int:
    """RegIrqFlags after a signal."""
    bench.medium.send(replace(signal, begin_us=bench.now_us + after_us))
    bench.wait(500_000)
    return bench.send("1200")[1]


def test_a_transmission_lasts_its_time_on_air(bench: Bench) -> None:
    far = SignalRecorder(bench.medium)
    send(bench, "898c", "c040", "a203", "8d00", "80616263")
    bench.send("8183", 0)
    begin = bench.now_us
    bench.wait(200_000)
    (signal,) = far.signals
    assert (signal.raw, signal.crc, signal.dbm) == (b"abc", True, 14)
    assert (signal.modulation.sf, signal.modulation.inverted, signal.modulation.sync) == (
        7,
        False,
        0x34,
    )
    assert bench.rises("dio0") == [begin + 180 + 30_976]
    assert bench.send("1200")[1] == 0x08 and bench.send("0100")[1] == 0x81
    bench.send("9208")
    assert bench.levels["dio0"] == 0 and bench.chip.violations == []


def test_a_frame_in_a_window(bench: Bench) -> None:
    window(bench)
    assert hear(bench, DOWN, 1000) == 0x50
    assert bench.send("1300")[1] == 8 and bench.send("1000")[1] == 0
    bench.send("8d00")
    assert bench.send("00" * 9)[1:] == b"downlink"
    assert bench.send("190000")[1:].hex() == "283d"  # 10 dB, -96 dBm
    assert bench.rises("dio0") and not bench.rises("dio1")
    assert bench.chip.violations == []


def test_the_window_ends_after_its_symbols(bench: Bench) -> None:
    window(bench, 300)
    bench.wait(500_000)
    (opening,) = bench.chip.windows
    assert opening.close_us - opening.open_us == 300 * 1024
    assert bench.rises("dio1") == [opening.close_us]
    assert bench.send("1200")[1] == 0x80 and bench.send("0100")[1] == 0x81


@pytest.mark.parametrize(
    "signal",
    [
        replace(DOWN, freq_hz=868_300_000),
        replace(DOWN, modulation=lorawan_modulation(8, 125_000, True)),
        replace(DOWN, modulation=lorawan_modulation(7, 125_000, False)),
        replace(DOWN, modulation=replace(DOWN.modulation, sync=0x12)),
        replace(DOWN, dbm=-30.0),
    ],
    ids=("frequency", "SF", "IQ", "sync word", "weak"),
)
def test_a_signal_that_does_not_fit_the_window_is_not_heard(bench: Bench, signal: Signal) -> None:
    window(bench)
    assert hear(bench, signal, 500) == 0x80


def test_a_collision_is_a_wrong_code(bench: Bench) -> None:
    window(bench)
    bench.medium.send(replace(DOWN, sender="b", begin_us=bench.now_us + 20_000, raw=bytes(30)))
    assert hear(bench, replace(DOWN, crc=True), 500) == 0x70


def test_masked_interrupts_are_not_raised(bench: Bench) -> None:
    send(bench, "91ff")
    window(bench)
    assert hear(bench, DOWN, 500) == 0 and not bench.rises("dio0")


def said(bench: Bench, *commands: str) -> str:
    bench.chip.violations.clear()
    send(bench, *commands)
    return " | ".join(text.split(": ", 1)[1] for text in bench.chip.violations)


def test_misuse_is_recorded(bench: Bench) -> None:
    assert said(bench, "3e00") == "register 3e read"
    assert said(bench, "be00") == "register 3e written"
    assert said(bench, "c200") == "register 42 written"
    assert said(bench, "8101") == "LoRa chosen outside sleep"
    assert said(bench, "8180", "0000") == "the FIFO in sleep"
    assert said(bench, "8181", "9e7002", "b367", "bb19", "8186") == "a window of 2 symbols"


def test_settings_while_on_air_are_misuse(bench: Bench) -> None:
    window(bench, 1000)
    assert said(bench, "a604") == "register 26 written while on air"


def test_errata_and_halves_of_settings(bench: Bench) -> None:
    inverted = ("b367", "bb19", "9e7008")
    assert said(bench, *inverted, "b1c3", "8186") == "errata 2.3: spurious reception"
    send(bench, "8181", "b143")
    assert said(bench, "bb1d", "8186") == "reception with IQ 67 1d"
    send(bench, "8181")
    assert said(bench, "b327", "bb19", "8183") == "transmission with IQ 27 19"
    send(bench, "8181")
    assert said(bench, "898f", "cd87", "bb1d", "8183") == (
        "+20 dBm without PA_BOOST, or with less than 120 mA"
    )
    send(bench, "8181")
    assert "low band at 868 MHz" in said(bench, "818b")


def test_the_image_wants_to_be_calibrated_for_the_band() -> None:
    bench = Bench()
    bench.chip = Sx1276("n1", bench, bench.medium)
    bench.chip.reset(1)
    bench.send("4200", 0)
    assert "before the chip is ready" in bench.chip.violations[0]
    bench.wait(6000)
    assert bench.send("4200")[1] == 0x12
    send(bench, "8101", "8100", "8180", "8181", "86d90666", "b143", "af4000", "9d727408")
    assert said(bench, "b367", "bb19", "8186") == "the image is not calibrated for this band"
