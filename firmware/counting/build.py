"""Builds the counting part of the application, from the identity to the detector. Needed once."""

import asyncio

import micropython

from config import identity
from config.settings import read_blob
from console.reader import serve_console
from core.clock import Clock
from core.faults import SAFE_MODE, STORAGE, TRIAL_FAILED
from core.modules import keep_modules
from counting.counter import Counter
from counting.detectors import build_detector
from counting.no_detector import NoDetector
from counting.recovery import restore_interval
from micropython import const
from ring import EVENT, Ring, RingError
from ring.memory import Memory

_ONCE = (
    "counting.build", "counting.detectors", "counting.no_detector", "counting.recovery",
    "config.identity", "config.schema", "config.trial", "ring.memory", "ring.recovery",
)  # fmt: skip
_CONFIGS = ("config", "config_ok")
_CONFIGS_OF_SAFE_MODE = ("config_ok", "config")
_WRITE_FAULT = "nvs or ring"  # as in app.py
_SHORT_MAX = const(0x3FFF_FFFF)
_CTRL_C = const(3)
_POWER_ON = const(1)  # cause of a reset
_FAILED_MAX = const(5)  # starts in a row: then a start counts nothing, and delivers what it can
_PROVISIONING_BOUND_S = const(60)  # as of the console


def build_counting(app):
    """Give the application its identity, configuration, ring, clock, counter and detector.

    Returns the names of the modules that were needed for it alone. The driver in use stays in
    memory, because the detector refers to it. Without an identity it never returns.
    """
    board, nvs = app.board, app.nvs
    app.node, reason = identity.read(nvs)
    if not app.node:
        app.supervisor.run(_wait_for_provisioning(app, reason))
    is_nvs_good, was_bad = _count_start(app)
    is_safe = app.failed > _FAILED_MAX
    _configure(app, is_safe)
    if not was_bad and not is_safe:
        app.ring, app.storage = open_ring(board, board.random, app.add_fault, not is_nvs_good)
    else:
        app.ring, app.storage = _in_memory(board.random, "safe mode" if is_safe else _WRITE_FAULT)
    app.clock = Clock(board.set_utc, app.uptime_s, None, app.log)
    app.counter = _build_counter(app)
    app.clock.on_step = app.clock_set
    app.detector = NoDetector() if is_safe else build_detector(board, app.config, app.log)
    app.counter.losses = app.losses
    app.counter.sight = getattr(app.detector, "sight", None)
    return _ONCE


def _configure(app, is_safe):
    """Load the configuration. A new one is on trial, and safe mode ends a trial."""
    nvs, schema = app.nvs, app.schema()
    app.config, key = schema.load(nvs, app.log, _CONFIGS_OF_SAFE_MODE if is_safe else _CONFIGS)
    app.log.level = app.config["log_level"]
    if is_safe:
        app.add_fault(SAFE_MODE, "%d starts failed, nothing is counted" % (app.failed - 1))
    if read_blob(nvs, "config") == read_blob(nvs, "config_ok"):
        return
    # Only here: a node without a trial has none of its names on the heap.
    trial = __import__("config.trial", None, None, ("begin",))
    try:
        if key == "config":
            app.trial = trial.begin(nvs, trial.differs_in_link(schema, nvs, app.config))
        elif is_safe and key:
            trial.go_back(nvs)
            app.add_fault(TRIAL_FAILED, "the last good configuration is back")
    except OSError as error:
        app.log.error("nvs: %r", error)


def _build_counter(app):
    """The counter, with the interval that the last reset or power cut interrupted."""
    rtc = app.board.rtc_memory()
    counter = Counter(
        app.ring, app.clock, rtc, app.uptime_s, app.config,
        identity=(app.boot, app.board.reset_cause()),
    )  # fmt: skip
    counter.start(
        restore_interval(
            counter.rec, app.ring, rtc, uptime=app.uptime_s(), utc=app.clock.utc(),
            length_s=60 * app.config["interval_min"],
        )
    )  # fmt: skip
    return counter


def _count_start(app):
    """Count this start (1 to 65535, 0 means none) and the failed ones in a row.

    A start fails when it does not last (`App.start_lasted`). One that follows a power cut counts
    for none. Returns whether NVS takes writes, and whether the log took none before.
    """
    nvs, board, was_bad = app.nvs, app.board, _number(app.nvs, "ring_bad")
    app.boot = _number(nvs, "boot") % 0xFFFF + 1
    app.failed = 0 if board.reset_cause() == _POWER_ON else _number(nvs, "failed") + 1
    app.short = min(_number(nvs, "short") + 1, _SHORT_MAX)
    try:
        nvs.set_i32("boot", app.boot)
        nvs.set_i32("short", app.short)
        nvs.set_i32("failed", app.failed)
        nvs.set_i32("ring_bad", 0)  # the next start tries again
        nvs.commit()
    except OSError as error:
        app.add_fault(STORAGE, "nvs takes no writes: %r" % error)
        app.boot = board.random(16) % 0xFFFF + 1  # not the same as that of the last start
        return False, was_bad
    if was_bad:
        app.add_fault(STORAGE, "ring takes no writes")
    return True, was_bad


def _number(nvs, key):
    try:
        return nvs.get_i32(key)
    except OSError:
        return 0


def open_ring(board, rng, add_fault, is_doubted=False):
    """Return the ring log, and "flash" or the reason why it is in memory.

    It is in memory when the flash cannot be used, or holds data that must not be overwritten.
    is_doubted: write to it first, because nothing but this start would know that it fails.
    """
    try:
        log = Ring(board.ring_partition(), rng)
        log.open()
        if is_doubted:
            log.set_cursor(0, *log.cursor(0))
            log.append(EVENT, b'{"event":"fault","code":3,"reason":"nvs takes no writes"}')
        return log, "flash"
    except (OSError, RingError) as error:
        add_fault(STORAGE, str(error))
        return _in_memory(rng, _WRITE_FAULT if is_doubted else str(error))


def _in_memory(rng, reason):
    log = Ring(Memory(), rng)
    log.open()
    return log, reason


async def _wait_for_provisioning(app, reason):
    """Report the missing identity on the console, blink, and answer commands there.

    Nothing is counted, nothing is written, starts are not counted.
    """
    keep_modules()
    app.log.warn("%s. Nothing is counted. Run `tallypost provision`.", reason)
    progress = app.supervisor.watch("console", _PROVISIONING_BOUND_S)
    micropython.kbd_intr(_CTRL_C)  # boot.py turned it off
    app.supervisor.spawn(serve_console(app, app.board.console(), progress), "console")
    while True:
        app.board.led(True)
        await asyncio.sleep_ms(100)
        app.board.led(False)
        await asyncio.sleep(3)
