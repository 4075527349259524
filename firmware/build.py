"""Puts the application together at a start: everything between the board and the backend.

Apart from the rest because it is needed once: the node gets its memory back after the start. What
this needs itself it lets go before the links, which are the largest part, are loaded.
"""

import asyncio

from core.clock import Clock
from counting.counter import Counter
from core.faults import STORAGE
from core.health import Health, let_go
from ring import Ring, RingError
from console.reader import attend
from config.settings import read_blob


def assemble(app):
    """Give an App its parts; a board without an identity never comes back from here."""
    board, log, nvs = app.board, app.log, app.nvs
    rng = board.random
    app.node, reason = _identity(nvs)
    if not app.node:
        asyncio.run(_wait_for_provisioning(app, reason))
    app.boot = _count_boot(nvs)
    app.config = config = _configuration(nvs, log)
    log.level = config["log_level"]
    app.ring, app.storage = open_ring(board, rng, app.add_fault)
    app.clock = Clock(board.set_utc, app.uptime_s, None, log)
    app.counter = Counter(
        app.ring, app.clock, board.rtc_memory(), app.uptime_s, config,
        identity=(app.boot, board.reset_cause()),
    )  # fmt: skip
    app.clock.on_step = app.clock_set
    app.counter.restore()
    app.detector = _detector(board, config, log)
    let_go(
        "config.schema",
        "counting.detectors",
        "config.identity",
        "counting.recovery",
        "ring.recovery",
    )
    app.counter.losses = app.losses
    app.health = Health()
    build_links(app, config, rng)
    app.tasks.append((attend(app, board.console()), "serial"))
    app.counter.on_record = app.uplink.wake


def _identity(nvs):
    from config.identity import read  # RAM: needed once

    return read(nvs)


def _configuration(nvs, log):
    from config.schema import load  # RAM: needed once

    return load(nvs, log)


def _detector(board, config, log):
    from counting.detectors import build  # RAM: needed once

    return build(board, config, log)


def build_links(app, config, rng):
    """What the configuration wants. A radio that is not there leaves MQTT to deliver."""
    app.link = app.lora = None
    wanted, radio = config["link"], None
    if wanted != "mqtt":
        from delivery.lorawan.service import LoraNode  # RAM: only a node with LoRaWAN pays for it

        radio = LoraNode(app)
        if not radio.open():
            radio = None
    if wanted != "lorawan" or not radio:
        _build_mqtt(app, config, rng)
    if radio:
        app.tasks += radio.build()


def _build_mqtt(app, config, rng):
    # RAM: a node with LoRaWAN alone does without these
    from delivery.mqtt.requests import Desk
    from delivery.mqtt.link import MqttLink
    from mqtt import Backoff
    from delivery.mqtt.publisher import Uplink
    from delivery.mqtt.wifi import Wifi

    app.clock.backoff = Backoff(rng, 4000, 300_000)
    secrets = {}
    for key in ("wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass"):
        secrets[key] = (read_blob(app.nvs, key) or b"").decode()
    app.wifi = Wifi(
        app.board.wlan(), secrets["wifi_ssid"], secrets["wifi_pass"], Backoff(rng), app.log,
        rng=rng,
    )  # fmt: skip
    app.link = MqttLink(
        config, secrets, app.node, app.wifi, Backoff(rng), log=app.log,
        ca=read_blob(app.nvs, "mqtt_ca"),
    )  # fmt: skip
    app.link.hello = app.hello()
    app.uplink = Uplink(
        app.ring, app.link, app.node, app.clock, uptime_s=app.uptime_s, boot=app.boot
    )
    desk = Desk(app)
    app.tasks += [
        (app.wifi.run(), "wifi"), (app.link.run(), "link"), (app.uplink.run(), "uplink"),
        (app.clock.run(config["ntp_host"], app.wifi.reach), "clock"),
        (desk.report_health(), "health"),
    ]  # fmt: skip


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
    """(log, where it is): in flash, or in memory when the flash holds what must stay as it is."""
    ring = Ring(board.ring_partition(), rng)
    try:
        ring.open()
        return ring, "flash"
    except RingError as error:
        from ring.memory import Memory  # RAM: only who needs it pays for it

        add_fault(STORAGE, str(error))
        ring = Ring(Memory(), rng)
        ring.open()
        return ring, str(error)


async def _wait_for_provisioning(app, reason):
    """A board without an identity counts nothing and writes nothing: it says so, on the console
    too, and blinks."""
    board = app.board
    app.boot = 0  # nothing is written, starts are not counted
    app.log.warn("%s. Nothing is counted. Run `tallypost provision`.", reason)
    app.spawn(attend(app, board.console()), "serial")
    while True:
        board.led(True)
        await asyncio.sleep_ms(100)
        board.led(False)
        await asyncio.sleep(3)
