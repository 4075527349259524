"""Whether a row of the CSV says something else than when its board was done.

The inventory holds board, site and EUIs. Of every other value the file of secrets keeps a
fingerprint: the first 16 hexadecimal digits of HMAC-SHA256 over `column=value`, with the key of
the records of the node. So a password can be compared, and is not stored.
"""

from __future__ import annotations

import hmac

from tallypost.inventory.inventory import Secret
from tallypost.provisioning.board_rows import Row

_DIGITS = 16
_PLAIN = ("site", "detector")  # settings with a column of their own


def fingerprints(row: Row, key: bytes) -> dict[str, str]:
    """By column. row: as it was read, without new secrets."""
    return {
        name: hmac.new(key, f"{name}={value}".encode(), "sha256").hexdigest()[:_DIGITS]
        for name, value in _columns(row).items()
    }


def changed(row: Row, entry: dict[str, str], secret: Secret | None) -> list[str]:
    """Names of the columns that changed since the board was done, in order.

    entry: the row of the inventory. secret: that of the node. An older version of the tool has
    kept no fingerprints. Then only the columns of the inventory are compared.
    """
    if secret and secret.done:
        now = fingerprints(row, bytes.fromhex(secret.mac_key))
        names = now.keys() | secret.done.keys()
        return sorted(name for name in names if now.get(name) != secret.done.get(name))
    now = {"board": row.board, "site": row.site}
    for name, eui in (("dev_eui", row.dev_eui), ("join_eui", row.join_eui)):
        if eui:
            now[name] = eui.hex()
    return sorted(name for name, value in now.items() if entry[name] != value)


def _columns(row: Row) -> dict[str, str]:
    """The values of a row that reach the board, by column. Empty ones are left out."""
    identity = row.identity
    found = {
        "board": row.board, "wifi_ssid": identity.wifi_ssid, "wifi_pass": identity.wifi_pass,
        "mqtt_user": identity.mqtt_user, "mqtt_pass": identity.mqtt_pass,
    }  # fmt: skip
    for name in ("dev_eui", "join_eui", "app_key"):
        found[name] = (getattr(row, name) or b"").hex()
    for key, value in identity.config.items():
        found[key if key in _PLAIN else f"config.{key}"] = str(value)
    return {name: value for name, value in found.items() if value}
