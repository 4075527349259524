# heap: 1m
"""Starts that fail: storage that takes no writes, safe mode, and the pause before a restart."""

import json
import sys

from board_parts import FakeBoard, sealed
from core import clock, restart
from core.faults import SAFE_MODE, STORAGE, TRIAL_FAILED
from core.modules import unload
from core.supervisor import Supervisor
from nor import Nor
from ring import EVENT, RingError

WATCHDOG = 3  # cause of a reset


class Time:
    """Stands for the module `time`."""

    slept = 0

    @staticmethod
    def time():
        return 0

    @classmethod
    def sleep(cls, seconds):
        cls.slept += seconds


clock.time = restart.time = Time


def _board(cause=1, **blobs):
    config = json.dumps({"detector": "beam"}).encode()
    board = FakeBoard(sealed(config=config, **blobs))
    board.reset_cause = lambda: cause
    return board


def _built(board):
    for name in ("build", "counting.build"):
        unload(name)
    import build

    return build.build_app(board)


def _refuse(*_args):
    raise OSError(-0x1105)  # no space in NVS


def _refusing_nvs(board):
    for name in ("set_i32", "set_blob", "commit"):
        setattr(board.nvs(""), name, _refuse)
    return board


def test_a_node_whose_nvs_takes_no_writes_keeps_its_log():
    """It stood at the prompt for ever."""
    app = _built(_refusing_nvs(_board()))
    assert app.storage == "flash" and app.detector.state != 6
    assert app.faults[0][0] == STORAGE and "nvs takes no writes" in app.faults[0][1]
    assert 1 <= app.boot <= 0xFFFF
    assert app.ring.read(1, bytearray(600))[0] == EVENT, "it was tried out"


def test_a_node_whose_nvs_and_log_take_no_writes_counts_in_memory():
    """Nothing but this start would know, and the next one would fail again."""
    good = _board()
    _built(good)  # the log has its format
    for dead in ("small", "records"):
        board = _refusing_nvs(_board())
        board.flash = _Protected(good.flash, dead)
        app = _built(board)
        assert app.storage != "flash" and len(app.faults) == 2, dead
        app.uplink.event("start")
        assert app.ring.read(1, bytearray(600))[0] == EVENT


class _Protected:
    """A flash whose part, `small` or `records`, keeps what it has."""

    def __init__(self, flash, dead):
        self._flash = flash
        self._dead = range(6) if dead == "small" else range(6, 1 << 16)

    def readblocks(self, *args):
        return self._flash.readblocks(*args)

    def writeblocks(self, n, buf, off=0):
        if n not in self._dead:
            self._flash.writeblocks(n, buf, off)

    def ioctl(self, op, arg):
        if op == 6 and arg in self._dead:
            return 0
        return self._flash.ioctl(op, arg)


def test_a_log_that_takes_no_writes_is_left_for_memory_at_the_next_start():
    board = _board(WATCHDOG)
    _built(board)
    supervisor = Supervisor(board, _built(board).log)
    try:
        supervisor.fail(1, "publisher", RingError("ring: flash does not hold it"))
    except SystemExit:
        assert board.nvs("").kept["ring_bad"] == 1
    app = _built(board)
    assert app.storage == "nvs or ring" and app.faults == [(STORAGE, "ring takes no writes")]
    assert board.nvs("").kept["ring_bad"] == 0, "the start after that tries again"
    assert _built(board).storage == "flash"


def test_a_dead_flash_counts_in_memory():
    class Dead(Nor):
        def writeblocks(self, n, buf, off=0):
            raise OSError(-1)

        def ioctl(self, op, arg):
            if op == 6:
                raise OSError(-1)
            return super().ioctl(op, arg)

    board = _board()
    board.flash = Dead(24)
    app = _built(board)
    assert app.storage != "flash" and app.faults[0][0] == STORAGE
    app.uplink.event("start")


def test_the_sixth_start_in_a_row_is_in_safe_mode():
    board = _board(WATCHDOG)
    good = json.dumps({"detector": "beam", "site": "good"}).encode()
    for start in range(1, 6):
        app = _built(board)
        assert app.failed == start and app.storage == "flash"
    board.nvs("").kept["config_ok"] = good
    app = _built(board)
    assert app.storage == "safe mode" and app.config["site"] == "good"
    assert app.faults[0] == (SAFE_MODE, "5 starts failed, nothing is counted")
    assert app.faults[1][0] == TRIAL_FAILED and board.nvs("").kept["config"] == good
    assert app.trial is None
    assert app.detector.state == 6, "its records say that nothing could be counted"
    app.start_lasted()
    assert board.nvs("").kept["failed"] == 0 and app.failed == 0
    assert _built(board).storage == "flash"


def test_safe_mode_without_a_good_configuration_uses_the_stored_one():
    """The defaults would lead the node to no broker."""
    app = _built(_board(WATCHDOG, failed=9))
    assert app.storage == "safe mode" and app.config["detector"] == "beam"
    assert [code for code, _reason in app.faults] == [SAFE_MODE]


def test_a_new_configuration_is_on_trial():
    good = json.dumps({"detector": "beam"}).encode()
    assert _built(_board(config_ok=good)).trial is None
    assert "config.trial" not in sys.modules, "its code leaves the heap"
    other = json.dumps({"detector": "beam", "mqtt_host": "other"}).encode()
    board = _board(config_ok=other)
    app = _built(board)
    assert app.trial and app.config["mqtt_host"] == "localhost"
    assert board.nvs("").kept["config_ok"] == other, "it is not good yet"
    assert "config.trial" not in sys.modules


def test_a_power_cut_is_no_failed_start():
    board = _board(WATCHDOG, failed=9)
    board.reset_cause = lambda: 1
    app = _built(board)
    assert app.failed == 0 and app.storage == "flash"
    assert app.short == 1
    assert _built(board).short == 2, "but it is a short one"


def test_a_commanded_restart_is_no_failed_start():
    board = _board(WATCHDOG)
    app = _built(board)
    assert app.failed == 1
    app.reset_soon()
    assert board.nvs("").kept["failed"] == 0


def test_the_pause_after_a_failed_start_doubles():
    for failed, seconds in ((0, 10), (1, 20), (5, 320), (8, 2560), (30, 2560)):
        board, Time.slept = _board(failed=failed), 0
        restart.pause(board, TypeError("x"))
        assert Time.slept == seconds == board.dog.feeds
        assert len(board.shown) == 1 and "ring_bad" not in board.nvs("").kept
    board = _board()
    board.nvs("").commit = _refuse
    Time.slept = 0
    restart.pause(board, RingError("x"))
    assert Time.slept == 40


def test_a_start_that_fails_by_its_log_leaves_it_for_memory():
    for error in (RingError("x"), OSError(5)):
        board = _board()
        restart.pause(board, error)
        assert board.nvs("").kept["ring_bad"] == 1


def test_the_main_program_restarts_after_any_failure():
    class Vfs:
        @staticmethod
        def umount(_path):
            """Nothing is mounted here."""

    class Board:
        @staticmethod
        def Board():
            return HARDWARE

    class Build:
        @staticmethod
        def build_app(_hardware):
            raise MemoryError("a start without memory")

    HARDWARE = _board()
    kept = {name: sys.modules.get(name) for name in ("board", "build", "vfs")}
    sys.modules["board"], sys.modules["build"], sys.modules["vfs"] = Board, Build, Vfs
    try:
        import main  # noqa: F401 - it runs

        raise AssertionError("no restart")
    except SystemExit:
        assert HARDWARE.resets == 1 and isinstance(HARDWARE.shown[0], MemoryError)
    finally:
        for name in kept:
            sys.modules.pop(name)
