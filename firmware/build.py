"""Composition root: builds the application, from the board's pins to the backend's links.

It is needed once and then leaves the heap. The counting part is built first. Its builder leaves
before the links are loaded. They are the largest part, and fill the holes that it leaves.
"""

import asyncio
import gc
import sys

import micropython

# It leaves, so it is bound by its package: nothing else may refer to it.
import counting.build
from app import App
from console.reader import serve_console
from core.memory import Memory
from core.modules import keep_modules, unload, unload_modules
from core.version import VERSION
from delivery.lorawan.device import open_device
from micropython import const

# Modules that leave: those of the device when it is open, the others at the end.
_OF_DEVICE = (
    "bare_radio", "delivery.lorawan.modem_device", "delivery.lorawan.radio_device",
    "lorawan.regions.as923", "lorawan.regions.eu868", "lorawan.regions.fixed_plan",
    "lorawan.regions.us915",
)  # fmt: skip
_OF_BUILD = (
    "build", "delivery.lorawan.build", "delivery.lorawan.device",
    "delivery.mqtt.build",
)  # fmt: skip
# Modules that come and go while the node runs, each with those that it loads.
_LATE = (
    "config.schema", "console.session", "console.live_view", "commands.registry",
    "commands.basic", "commands.diagnostics", "commands.calibration", "commands.log_export",
    "wire.unpack", "wire.jsonform",
    "commands.settings", "commands.signed_settings",
)  # fmt: skip
_LATE_OF_MQTT = ("mqtt.connection", "names.query", "core.time_servers")
_LATE_OF_TLS = ("delivery.mqtt.tls",)
_LATE_OF_LORAWAN = ("delivery.lorawan.downlink_handlers", "wire.note")
_CTRL_C = const(3)
_CONSOLE_BOUND_S = const(60)  # a line takes 10 s at most, its command less


def build_app(board):
    """Return the application of a board. Without an identity it never returns."""
    app = App(board)
    once = counting.build.build_counting(app)
    app.memory = Memory(board.system_heap, app.log)
    _unload(once)
    build_links(app)
    app.counter.on_record = app.uplink.wake
    app.starting = _start(app)
    _unload(_OF_BUILD)
    keep_modules()
    return app


def _unload(names):
    """Drop modules, and all packages: only an import needs one, and makes it anew."""
    for name in names:
        unload(name)
    for name in list(sys.modules):
        if hasattr(sys.modules[name], "__path__") and name != "asyncio":
            unload(name)
    gc.collect()


async def _start(app):
    """Report the start, and start the watchdog, the tasks and the detector."""
    log = app.log
    log.info("%s %s boot %d on %s", app.node, VERSION, app.boot, app.board.NAME)
    cause = app.hello()["reset"]
    app.counter.on_event = app.uplink.event
    if app.is_told() or app.trial:  # a trial needs a record to be acknowledged
        app.uplink.event(
            "start", reset=cause, version=VERSION, dropped=app.ring.dropped, short=app.short
        )
    for code, reason in app.faults:
        app.uplink.event("fault", code=code, reason=reason)
    app.supervisor.start()
    await app.detector.start()
    app.supervisor.spawn(_open_console(app), "console")


async def _open_console(app):
    """Serve the console, once all names are known: a command would put others before them."""
    await _learn_names(app)
    if app.config["console"] == "off":
        return
    if app.config["console"] == "open":
        micropython.kbd_intr(_CTRL_C)  # boot.py turned it off
    progress = app.supervisor.watch("console", _CONSOLE_BOUND_S)
    await serve_console(app, app.board.console(), progress)


async def _learn_names(app):
    """Load each late module once, and drop it.

    Its names stay on the heap for good. So they get their place now, while the heap is in one
    piece, and the table of all names grows for the last time. A later import needs small blocks.
    """
    names = list(_LATE)
    if app.link:
        names += _LATE_OF_MQTT + (_LATE_OF_TLS if app.config["mqtt_tls"] else ())
    if app.lora:
        names += _LATE_OF_LORAWAN
    if app.trial:
        names.append("config.trial")
    for name in names:
        try:
            __import__(name)
        except MemoryError:
            app.log.warn("no memory for %s", name)
        unload_modules()
        gc.collect()
        await asyncio.sleep_ms(0)  # counting comes first


def build_links(app):
    """Build the links of the configuration. Without a usable radio MQTT delivers."""
    wanted, device = app.config["link"], None
    if wanted != "mqtt":
        device = open_device(app)
        _unload(_OF_DEVICE)
    if wanted != "lorawan" or not device:
        from delivery.mqtt.build import build_mqtt  # 24,900 bytes

        build_mqtt(app)
    if device:
        from delivery.lorawan.build import build_lorawan  # 20,100 bytes

        build_lorawan(app, device)
