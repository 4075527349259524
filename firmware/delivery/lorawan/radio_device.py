"""A LoRaWAN device that is a bare transceiver under our own MAC.

Boards with a modem have no `lorawan` in their image, so this is a module beside `modem_device.py`.
"""

from lorawan.device.end_device import EndDevice
from lorawan.device.storage import NvsStore
from lorawan.frames import Identity
from lorawan.regions.region import Region
from lorawan.regions.tables import table
from micropython import const

_PAYLOAD_BYTES = const(51)  # every data rate of EU868 carries them; frames are made for that


def radio_device(driver, keys, store, *, rng, log, recent, region):
    """Return the device. driver: of `lib/radio`. keys: DevEUI, JoinEUI, AppKey.

    store: NVS of the MAC. recent: memory that outlives a reset. region: `lora_region` of the
    configuration. Raises ValueError for wrong keys.
    """
    limits = table(region)
    driver.mhz = (limits.BANDS[0][0] + limits.BANDS[-1][1]) // 2_000_000
    return EndDevice(
        driver, Identity(*keys), Region(limits, _PAYLOAD_BYTES), NvsStore(store),
        rng=rng, log=log, recent=recent,
    )  # fmt: skip
