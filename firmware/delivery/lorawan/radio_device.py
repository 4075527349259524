"""A LoRaWAN device that is a bare transceiver under our own MAC.

Boards with a modem have no `lorawan` in their image, so this is a module beside `modem_device.py`.
"""

from lorawan.device.end_device import EndDevice
from lorawan.device.storage import NvsStore
from lorawan.frames import Identity
from lorawan.regions import eu868
from lorawan.regions.region import Region
from micropython import const

_PAYLOAD_BYTES = const(51)  # every data rate of EU868 carries them; frames are made for that


def radio_device(driver, keys, store, *, rng, log, recent, region):
    """Return the device. driver: of `lib/radio`. keys: DevEUI, JoinEUI, AppKey.

    store: NVS of the MAC. recent: memory that outlives a reset. region: `lora_region` of the
    configuration. Raises ValueError for wrong keys.
    """
    table = _table(region)
    driver.mhz = (table.BANDS[0][0] + table.BANDS[-1][1]) // 2_000_000
    return EndDevice(
        driver, Identity(*keys), Region(table, _PAYLOAD_BYTES), NvsStore(store),
        rng=rng, log=log, recent=recent,
    )  # fmt: skip


def _table(region):
    """The table of a region. The others leave memory with this module."""
    if region == "EU868":
        return eu868
    from lorawan.regions import as923, us915  # 7,400 bytes

    return us915 if region == "US915" else as923.Group(region)
