"""Memory: what is noted of both heaps, and when a starved node is to restart."""

import gc

from board_parts import FakeLog
from core.memory import CONNECTION_BYTES, NEVER_UP_S, STARVED_S, Memory

PLENTY = (28_000, 19_000, 24_000)
SCARCE = (12_000, CONNECTION_BYTES - 1, 800)


class Board:
    """The system's heap of a board."""

    def __init__(self, system=PLENTY):
        self.system = system

    def system_heap(self):
        return self.system


def _memory(system=PLENTY):
    board = Board(system)
    log = FakeLog()
    return Memory(board.system_heap, log), board, log


def _minutes(memory, first, minutes, is_up=False):
    """Ask once a minute; return the answers."""
    return [
        memory.starved(60 * minute, is_up, CONNECTION_BYTES)
        for minute in range(first, first + minutes)
    ]


def test_look_returns_the_free_bytes_and_keeps_the_lowest():
    memory, _board, _log = _memory()
    before = memory.look()
    held = bytearray(20_000)
    low = memory.look()
    assert before - low > 19_000 and memory.free_min == low
    del held
    assert memory.look() > low and memory.free_min == low
    assert memory.size == gc.mem_free() + gc.mem_alloc() - PLENTY[1]


def test_a_heap_that_has_grown_is_logged_with_what_is_left_beside_it():
    memory, board, log = _memory()
    memory.look()
    assert log.lines == []
    memory.size -= 30_000
    board.system = SCARCE
    memory.look()
    ((level, text),) = log.lines
    assert level == "warn" and "heap: grew to %d bytes" % memory.size in text
    assert "12000 free in blocks of at most 4095" in text


def test_a_node_that_lost_its_link_and_its_memory_starts_over_soon():
    memory, _board, _log = _memory(SCARCE)
    _minutes(memory, 4, 1, is_up=True)
    *early, late = _minutes(memory, 5, STARVED_S // 60 + 1)
    assert early == [None] * (STARVED_S // 60)
    assert late == "block of 4095 bytes, a connection needs 4096"


def test_a_node_that_never_had_a_link_waits_longer():
    memory, _board, _log = _memory(SCARCE)
    *early, late = _minutes(memory, 5, NEVER_UP_S // 60 + 1)
    assert NEVER_UP_S > STARVED_S and set(early) == {None} and late


def test_a_node_with_a_link_is_not_starved():
    memory, _board, _log = _memory(SCARCE)
    assert set(_minutes(memory, 5, 60, is_up=True)) == {None}


def test_a_node_whose_broker_is_away_is_not_starved():
    memory, _board, _log = _memory(PLENTY)
    assert set(_minutes(memory, 5, 60)) == {None}


def test_a_block_that_is_free_for_a_moment_begins_the_wait_anew():
    memory, board, _log = _memory(SCARCE)
    _minutes(memory, 5, 9)
    board.system = PLENTY
    _minutes(memory, 14, 1)
    board.system = SCARCE
    *early, late = _minutes(memory, 15, NEVER_UP_S // 60 + 1)
    assert set(early) == {None} and late


def test_what_needs_more_than_there_is_is_refused_before_the_heap_grows():
    memory, _board, _log = _memory()
    room = memory.room()
    memory.need(room // 2)
    try:
        memory.need(room + 100_000)
    except MemoryError:
        return
    raise AssertionError("it would have let the heap grow")


def test_with_psram_the_heap_may_grow():
    memory, board, _log = _memory()
    board.system = (4_000_000, 3_900_000, 3_900_000)
    whole = memory.room()
    board.system = (4_000_000, 300_000, 300_000)
    assert whole - memory.room() > 290_000, "of a chip's own memory nothing may be taken"
