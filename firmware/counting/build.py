"""Builds the counting part of the application, from the identity to the detector. Needed once."""

import asyncio

from config import identity
from console.reader import serve_console
from core.clock import Clock
from core.faults import STORAGE
from core.modules import keep_modules
from counting.counter import Counter
from counting.detectors import build_detector
from counting.recovery import restore_interval
from micropython import const
from ring import Ring, RingError
from ring.memory import Memory

_ONCE = (
    "counting.build", "counting.detectors", "counting.no_detector", "counting.recovery",
    "config.identity", "config.schema", "ring.memory", "ring.recovery",
)  # fmt: skip
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
    app.boot = _count_boot(nvs)
    app.config = app.schema().load(nvs, app.log)
    app.log.level = app.config["log_level"]
    app.ring, app.storage = open_ring(board, board.random, app.add_fault)
    app.clock = Clock(board.set_utc, app.uptime_s, None, app.log)
    app.counter = _build_counter(app)
    app.clock.on_step = app.clock_set
    app.detector = build_detector(board, app.config, app.log)
    app.counter.losses = app.losses
    app.counter.sight = getattr(app.detector, "sight", None)
    return _ONCE


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


def _count_boot(nvs):
    """The number of this start, 1 to 65535. Records are keyed by it. 0 means none."""
    try:
        boot = nvs.get_i32("boot")
    except OSError:
        boot = 0
    boot = boot % 0xFFFF + 1
    nvs.set_i32("boot", boot)
    nvs.commit()
    return boot


def open_ring(board, rng, add_fault):
    """Return the ring log, and "flash" or the reason why it is in memory.

    It is in memory when the flash holds data that must not be overwritten.
    """
    log = Ring(board.ring_partition(), rng)
    try:
        log.open()
        return log, "flash"
    except RingError as error:
        add_fault(STORAGE, str(error))
        log = Ring(Memory(), rng)
        log.open()
        return log, str(error)


async def _wait_for_provisioning(app, reason):
    """Report the missing identity on the console, blink, and answer commands there.

    Nothing is counted, nothing is written, starts are not counted.
    """
    keep_modules()
    app.log.warn("%s. Nothing is counted. Run `tallypost provision`.", reason)
    progress = app.supervisor.watch("console", _PROVISIONING_BOUND_S)
    app.supervisor.spawn(serve_console(app, app.board.console(), progress), "console")
    while True:
        app.board.led(True)
        await asyncio.sleep_ms(100)
        app.board.led(False)
        await asyncio.sleep(3)
