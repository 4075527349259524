"""The LoRaWAN station of a board, from what is provisioned: our own MAC over a bare transceiver.

NVS, namespace `tallypost`: `lora_dev_eui`, `lora_join_eui` (8 bytes each), `lora_app_key` (16).
What the MAC has to keep is in the namespace `lora`.
"""

from settings import read_blob

_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


def bare(driver, nvs, store, *, rng, log, recent):
    """driver: of `lib/radio`. store: NVS of the MAC. recent: memory that outlives a reset.

    Raises ValueError naming what is not provisioned, or is wrong.
    """
    from lorawan import eu868  # not in the image of a board with a modem
    from lorawan.device import NvsStore
    from lorawan.frames import Identity
    from lorawan.region import Region
    from lorawan.station import Station

    return Station(
        driver, Identity(*keys(nvs)), Region(eu868), NvsStore(store),
        rng=rng, log=log, recent=recent,
    )  # fmt: skip


def keys(nvs):
    """DevEUI, JoinEUI, AppKey as bytes; raises ValueError naming the one that is missing."""
    found = [read_blob(nvs, key) for key in _KEYS]
    for key, value in zip(_KEYS, found):
        if value is None:
            raise ValueError("%s is not in NVS: run `tallypost provision`" % key)
    return found


def modem(uart, name, nvs, *, rng, log, reset):
    """The same on an AT modem, which keeps counters itself; name: its dialect, see `lib/modem`.

    reset: a function that pulls the modem's reset line, or None. Raises ValueError as `bare`.
    """
    from modem.station import Station as ModemStation

    settings = {"lora_region": "EU868", "lora_data_rate": 5, "lora_adr": 1}
    for key, value in zip(_KEYS, keys(nvs)):
        settings[key] = value
    return ModemStation(uart, name, settings, rng, log, reset=reset)
