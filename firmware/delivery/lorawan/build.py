"""Builds delivery over LoRaWAN: the service and the scheduler over a device. Needed once.

The bounds are the seconds within which each task has to report progress.
"""

from core.version import VERSION
from delivery.lorawan.scheduler import UplinkScheduler
from delivery.lorawan.service import LoraService
from micropython import const

_DEVICE_BOUND_S = const(21_600)  # a modem waits up to 5.4 h between two attempts to join
_SCHEDULER_BOUND_S = const(1800)  # 600 s until it looks again; a frame waits 120 s for airtime


def build_lorawan(app, device):
    """Give the application its scheduler, beside MQTT or alone, and its supervisor the tasks."""
    service = LoraService(app, device)
    primary = (app.uplink, app.link) if app.link else None
    app.lora = UplinkScheduler(
        app.ring, device, app.clock, app.config, service, rng=app.board.random, primary=primary
    )  # fmt: skip
    device.on_reset = service.restart
    if app.config["lora_certification"]:
        _certify(device, app.log)
    if not primary:
        app.uplink = app.lora
    app.supervisor.add("lorawan device", service.run_device, _DEVICE_BOUND_S)
    app.supervisor.add("lorawan", app.lora.run, _SCHEDULER_BOUND_S)


def _certify(device, log):
    """Open port 224. From then on the network may do anything with this device."""
    certify = getattr(device, "certify", None)
    if certify:
        certify(bytes([int(part) for part in VERSION.split(".")] + [0]))
        log.warn("lorawan: the certification package listens on port 224")
    else:
        log.warn("lorawan: the modem has its own certification package, if any")
