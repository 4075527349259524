"""The LoRaWAN station of a board, from what is provisioned: our own MAC over a bare transceiver.

NVS, namespace `tallypost`: `lora_dev_eui`, `lora_join_eui` (8 bytes each), `lora_app_key` (16).
What the MAC has to keep is in the namespace `lora`.
"""

from micropython import const
from config.settings import read_blob

_SURE_BYTES = const(51)  # what every data rate of EU868 carries; frames are made for that
_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


def bare(driver, nvs, store, *, rng, log, recent, region):
    """driver: of `lib/radio`. store: NVS of the MAC. recent: memory that outlives a reset.

    region: `lora_region` of the configuration. Raises ValueError naming what is not provisioned,
    or is wrong.
    """
    from lorawan.device.storage import NvsStore  # not in the image of a board with a modem
    from lorawan.frames import Identity
    from lorawan.regions.region import Region
    from lorawan.device.end_device import EndDevice

    table = _table(region)
    driver.mhz = (table.BANDS[0][0] + table.BANDS[-1][1]) // 2_000_000
    return EndDevice(
        driver, Identity(*keys(nvs)), Region(table, _SURE_BYTES), NvsStore(store),
        rng=rng, log=log, recent=recent,
    )  # fmt: skip


def _table(region):
    """RAM: of the tables one is in memory."""
    if region == "EU868":
        from lorawan.regions import eu868 as table
    elif region == "US915":
        from lorawan.regions import us915 as table
    else:
        from lorawan.regions.as923 import Group

        table = Group(region)
    return table


def keys(nvs):
    """DevEUI, JoinEUI, AppKey as bytes; raises ValueError naming the one that is missing."""
    found = [read_blob(nvs, key) for key in _KEYS]
    for key, value in zip(_KEYS, found):
        if value is None:
            raise ValueError("%s is not in NVS: run `tallypost provision`" % key)
    return found


def modem(uart, name, nvs, *, rng, log, reset, region):
    """The same on an AT modem, which keeps counters itself; name: its dialect, see `lib/modem`.

    reset: a function that pulls the modem's reset line, or None. Raises ValueError as `bare`.
    """
    from modem.end_device import EndDevice as ModemEndDevice

    settings = {"lora_region": region, "lora_data_rate": 5, "lora_adr": 1}
    for key, value in zip(_KEYS, keys(nvs)):
        settings[key] = value
    return ModemEndDevice(uart, name, settings, rng, log, reset=reset)
