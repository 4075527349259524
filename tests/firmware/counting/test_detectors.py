"""The configured detector on the lines that the board has."""

import asyncio

from board_parts import FakeBoard, FakeLog, FakeNvs, FakeUart
from config.schema import accept
from counting.detectors import build_detector


class Counter:
    """A pulse counter: nothing has come yet."""

    def value(self):
        return 0


class Board(FakeBoard):
    """A board with a line for a radar and a pulse counter for each beam, or without them."""

    def __init__(self, has_uart=True, counters=2):
        super().__init__(FakeNvs())
        self._has_uart = has_uart
        self._counters = [Counter() for _ in range(counters)] or None
        self.bauds = []

    def uart(self, baud):
        if not self._has_uart:
            raise OSError("this board has no line for a radar")
        self.bauds.append(baud)
        return FakeUart()

    def beam_counters(self):
        return self._counters


def _built(kind, board):
    log = FakeLog()
    return build_detector(board, accept({"detector": kind}), log), log


def test_each_radar_is_built_on_its_line_at_the_rate_of_its_maker():
    for kind, name, baud in (
        ("ld2451", "LD2451", 115_200), ("ld2450", "LD2450", 256_000), ("ops243", "OPS243", 19_200)
    ):  # fmt: skip
        board = Board()
        detector, _log = _built(kind, board)
        assert type(detector).__name__ == name and board.bauds == [baud], kind
        assert detector.state == 0, "not known before its start"


def test_a_detector_of_pulses_gets_counters_and_no_line():
    for kind, name, hardware in (
        ("beam", "DualBeam", 2), ("beam_single", "SingleBeam", 1), ("doppler", "Doppler", None),
        ("pir_pair", "PirPair", None),
    ):  # fmt: skip
        board = Board(has_uart=False)
        detector, _log = _built(kind, board)
        assert type(detector).__name__ == name and board.bauds == []
        assert detector.stats().get("hardware") == hardware and detector.state == 0
        asyncio.run(detector.start())
        assert detector.state in (1, 2), "it can count"


def test_beams_do_without_counters_on_a_board_that_has_none():
    for kind in ("beam", "beam_single"):
        detector, _log = _built(kind, Board(counters=0))
        assert detector.stats()["hardware"] == 0


def test_a_radar_on_a_board_without_a_line_is_misconfigured_and_counts_nothing():
    detector, log = _built("ld2451", Board(has_uart=False))
    assert log.lines == [("warn", "ld2451: this board has no line for a radar")]

    async def waits():
        await detector.start()
        await asyncio.wait_for_ms(detector.wait(), 20)

    try:
        asyncio.run(waits())
        raise AssertionError("it has something to count")
    except asyncio.TimeoutError:
        assert detector.state == 6 and detector.tick(0) is False
        assert detector.pop() is None and detector.stats() == {}
