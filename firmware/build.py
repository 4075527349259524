"""Composition root: builds the application's parts, from the board's pins to the backend's links.

It is needed once and then leaves the heap. The modules that only the start needs leave before the
links are built, which are the largest part.
"""

import asyncio

from app import App
from console.reader import serve_console
from core.clock import Clock
from core.faults import STORAGE
from core.health import Health
from core.modules import keep_modules, unload
from counting.counter import Counter
from micropython import const
from ring import Ring, RingError

# These leave. They are loaded last, so that they leave one hole, and are bound by their packages,
# so that nothing refers to them.
import config.identity
import counting.detectors
import counting.recovery
import ring.memory

# Modules that nothing needs after the start. The driver in use stays, because the detector refers
# to it.
ONCE = (
    "build", "config.identity", "config.schema", "counting.detectors", "counting.no_detector",
    "counting.recovery", "ring.memory", "ring.recovery", "delivery.mqtt.build",
    "delivery.lorawan.build", "delivery.lorawan.modem_device", "delivery.lorawan.radio_device",
    "bare_radio", "lorawan.regions.tables", "core.version",
)  # fmt: skip
_CONSOLE_BOUND_S = const(60)  # a line takes 10 s at most, its command less


def build_app(board):
    """Return the application of a board. Without an identity it never returns."""
    app = App(board)
    app.node, reason = config.identity.read(app.nvs)
    if not app.node:
        asyncio.run(_wait_for_provisioning(app, reason))
    app.boot = _count_boot(app.nvs)
    app.config = app.schema().load(app.nvs, app.log)
    app.log.level = app.config["log_level"]
    app.ring, app.storage = open_ring(board, board.random, app.add_fault)
    app.clock = Clock(board.set_utc, app.uptime_s, None, app.log)
    app.counter = _build_counter(app)
    app.clock.on_step = app.clock_set
    app.detector = counting.detectors.build_detector(board, app.config, app.log)
    _unload_once()
    app.counter.losses = app.losses
    app.health = Health()
    build_links(app)
    app.counter.on_record = app.uplink.wake
    _build_console(app)
    _unload_once()
    return app


def _unload_once():
    for name in ONCE:
        unload(name)


def _build_counter(app):
    """The counter, with the interval that the last reset or power cut interrupted."""
    rtc = app.board.rtc_memory()
    counter = Counter(
        app.ring, app.clock, rtc, app.uptime_s, app.config,
        identity=(app.boot, app.board.reset_cause()),
    )  # fmt: skip
    counter.start(
        counting.recovery.restore_interval(
            counter.rec, app.ring, rtc, uptime=app.uptime_s(), utc=app.clock.utc(),
            length_s=60 * app.config["interval_min"],
        )
    )  # fmt: skip
    return counter


def _build_console(app):
    console = app.board.console()
    app.supervisor.add(
        "console", lambda progress: serve_console(app, console, progress), _CONSOLE_BOUND_S
    )


def build_links(app):
    """Build the links of the configuration. Without a usable radio MQTT delivers."""
    wanted, device = app.config["link"], None
    if wanted != "mqtt":
        from delivery.lorawan import build as lorawan  # 21,500 bytes

        device = lorawan.open_device(app)
    if wanted != "lorawan" or not device:
        from delivery.mqtt import build as mqtt  # 29,900 bytes

        mqtt.build_mqtt(app)
    if device:
        lorawan.build_lorawan(app, device)


def _count_boot(nvs):
    try:
        boot = nvs.get_i32("boot")
    except OSError:
        boot = 0
    boot = (boot + 1) & 0xFFFF
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
        log = Ring(ring.memory.Memory(), rng)
        log.open()
        return log, str(error)


async def _wait_for_provisioning(app, reason):
    """Report the missing identity on the console, blink, and answer commands there.

    Nothing is counted, nothing is written, starts are not counted.
    """
    keep_modules()
    app.log.warn("%s. Nothing is counted. Run `tallypost provision`.", reason)
    progress = app.supervisor.watch("console", _CONSOLE_BOUND_S)
    app.supervisor.spawn(serve_console(app, app.board.console(), progress), "console")
    while True:
        app.board.led(True)
        await asyncio.sleep_ms(100)
        app.board.led(False)
        await asyncio.sleep(3)
