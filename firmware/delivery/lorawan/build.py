"""Builds delivery over LoRaWAN: the board's radio or modem, and the scheduler of its frames.

It is needed once, at the start. NVS, namespace `tallypost`, holds `lora_dev_eui` and
`lora_join_eui` (8 bytes each) and `lora_app_key` (16 bytes).
"""

from config.settings import read_blob
from core.faults import RADIO
from core.version import VERSION
from delivery.lorawan.scheduler import UplinkScheduler
from delivery.lorawan.service import LoraService
from micropython import const

_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")
_DEVICE_BOUND_S = const(21_600)  # a modem waits up to 5.4 h between two attempts to join
_SCHEDULER_BOUND_S = const(1800)  # 600 s until it looks again; a frame waits 120 s for airtime


def open_device(app):
    """Return the device of `board.lorawan(keys, log, region)`. None, and a fault, without one."""
    make = getattr(app.board, "lorawan", None)
    reason = "this board has none"
    if make:
        try:
            return make(_read_keys(app.nvs), app.log, app.config["lora_region"])
        except (OSError, ValueError) as error:
            reason = error
    app.add_fault(RADIO, "lorawan: %s" % reason)
    return None


def _read_keys(nvs):
    """DevEUI, JoinEUI, AppKey as bytes. Raises ValueError with the name of a missing one."""
    found = [read_blob(nvs, key) for key in _KEYS]
    for key, value in zip(_KEYS, found):
        if value is None:
            raise ValueError("%s is not in NVS: run `tallypost provision`" % key)
    return found


def build_lorawan(app, device):
    """Give the application its scheduler, beside MQTT or alone, and its supervisor the tasks."""
    service = LoraService(app, device)
    primary = (app.uplink, app.link) if app.link else None
    app.lora = UplinkScheduler(
        app.ring, device, app.clock, app.config, service, primary=primary
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
