"""Opens the LoRaWAN device of the board. Needed once, at the start.

NVS, namespace `tallypost`, holds `lora_dev_eui` and `lora_join_eui` (8 bytes each) and
`lora_app_key` (16 bytes).
"""

from config.settings import read_blob
from core.faults import RADIO

_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


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
