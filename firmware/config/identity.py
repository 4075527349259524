"""Identity of the node: read from NVS and checked against the seal of the provisioning.

`seal` is the CRC-32, little-endian, over those of the keys below that are present, in this order:
key, 0, length as u16, value. Provisioning that was cut short may leave half of one identity and
half of another. With such an identity nothing is counted.
"""

import struct
from binascii import crc32

from config.settings import read_blob

_SEALED = (
    "id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass", "mqtt_ca",
    "lora_dev_eui", "lora_join_eui", "lora_app_key", "mqtt_ca2", "fleet_key", "fleet_key2",
    "mac_key",
)  # fmt: skip
_TEXTS = ("id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass")


def read(nvs):
    """Return the node id and "". When nothing may be counted: an empty id and the reason."""
    crc, node, is_text = 0, b"", True
    for key in _SEALED:
        value = read_blob(nvs, key)
        if value is None:
            continue
        if key == "id":
            node = value
        if key in _TEXTS:
            try:
                value.decode()
            except UnicodeError:  # it would end every start
                is_text = False
        crc = crc32(key.encode() + struct.pack("<BH", 0, len(value)), crc)
        crc = crc32(value, crc)
    if not node:
        return "", "not provisioned: no node id in NVS"
    if not is_text or read_blob(nvs, "seal") != struct.pack("<I", crc):
        return "", "identity incomplete: provisioning was cut short, or NVS is damaged"
    return node.decode(), ""
