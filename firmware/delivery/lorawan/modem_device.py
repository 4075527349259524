"""A LoRaWAN device that is an AT modem, which keeps keys and counters itself."""

from modem.end_device import EndDevice

_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


def modem_device(uart, name, keys, *, rng, log, reset, region):
    """Return the device. name: of its dialect, see `lib/modem`. keys: DevEUI, JoinEUI, AppKey.

    reset: a function that pulls the modem's reset line, or None. region: `lora_region` of the
    configuration. Raises ValueError for wrong keys, or a region that the modem does not have.
    """
    settings = {"lora_region": region, "lora_data_rate": 5, "lora_adr": 1}
    settings.update(zip(_KEYS, keys))
    return EndDevice(uart, name, settings, rng, log, reset=reset)
