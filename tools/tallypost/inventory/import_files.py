"""Files that make the nodes of an inventory known to brokers and LoRaWAN servers.

mosquitto.passwd   user:$7$ITERATIONS$SALT$HASH, PBKDF2-HMAC-SHA512, salt and hash in base64. The
                   salt has 12 bytes: mosquitto 1.6 and 2.0 accept no other length
mosquitto.acl      each node may write and read its own topics only
ttn.csv            The Things Stack, "CSV File Reference": separated by semicolons, a header row
chirpstack.json    ChirpStack v4 has no import file. These are the bodies of its REST calls, in
                   their order. It calls the AppKey of LoRaWAN 1.0.x `nwkKey` (api/device.proto)

All hold secrets, or values derived from secrets, and have mode 0600.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

from tallypost.inventory.inventory import Inventory, Secret, write_private

WRITES = ("status", "counts", "event", "health", "config", "reply")
READS = ("ack", "cmd")
_SALT_BYTES, _ITERATIONS = 12, 101  # the secrets are long and random: more rounds add nothing
_TTN = (
    "id", "dev_eui", "join_eui", "name", "frequency_plan_id", "lorawan_version",
    "lorawan_phy_version", "app_key",
)  # fmt: skip
_TTN_ID = re.compile("(?=.{3,36}$)[a-z0-9]+(-[a-z0-9]+)*")
_EU868 = ("EU_863_870_TTN", "MAC_V1_0_4", "RP002_V1_0_3")


def write_all(inventory: Inventory, application: str = "", profile: str = "") -> list[str]:
    """Write the files for every node of the inventory. Returns their names.

    application, profile: UUIDs of ChirpStack. Without them chirpstack.json is not written.
    """
    pairs = [
        (row, inventory.secrets[node])
        for node, row in sorted(inventory.rows.items())
        if node in inventory.secrets
    ]
    lora = [(row, secret) for row, secret in pairs if secret.app_key and row["dev_eui"]]
    files = {"mosquitto.passwd": passwords(s for _, s in pairs), "mosquitto.acl": acl(pairs)}
    if lora:
        files["ttn.csv"] = ttn(lora)
        if application and profile:
            files["chirpstack.json"] = chirpstack(lora, application, profile)
    for name, text in files.items():
        write_private(inventory.folder / name, text)
    return sorted(files)


def passwords(known: Iterable[Secret]) -> str:
    """Lines of a mosquitto password file."""
    return "".join(f"{one.mqtt_user}:{password_hash(one.mqtt_pass)}\n" for one in known)


def password_hash(password: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${'$'.join(encoded)}"


def acl(pairs: Iterable[tuple[dict[str, str], Secret]]) -> str:
    """An access list of mosquitto. Every topic that it does not name is denied."""
    lines = []
    for row, secret in pairs:
        lines.append(f"user {secret.mqtt_user}")
        for access, names in (("write", WRITES), ("read", READS)):
            lines += [f"topic {access} {secret.mqtt_root}/{row['node']}/{name}" for name in names]
        lines.append("")
    return "\n".join(lines)


def ttn(pairs: Iterable[tuple[dict[str, str], Secret]]) -> str:
    """The rows for The Things Stack. For an empty id it makes one from the DevEUI."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(_TTN)
    for row, secret in pairs:
        name = row["site"] or row["node"]
        eui = (row["dev_eui"].upper(), row["join_eui"].upper())
        device = row["node"].replace("_", "-")
        device = device if _TTN_ID.fullmatch(device) else ""
        writer.writerow((device, *eui, name, *_EU868, secret.app_key.upper()))
    return text.getvalue()


def chirpstack(
    pairs: Iterable[tuple[dict[str, str], Secret]], application: str, profile: str
) -> str:
    """A list of calls, each with method, path and body."""
    calls: list[dict[str, Any]] = []
    for row, secret in pairs:
        eui = row["dev_eui"].lower()
        device = {
            "devEui": eui, "name": row["node"], "description": row["site"],
            "applicationId": application, "deviceProfileId": profile,
            "joinEui": row["join_eui"].lower(), "tags": {"node": row["node"]},
        }  # fmt: skip
        keys = {"devEui": eui, "nwkKey": secret.app_key.lower()}
        calls.append({"method": "POST", "path": "/api/devices", "body": {"device": device}})
        path = f"/api/devices/{eui}/keys"
        calls.append({"method": "POST", "path": path, "body": {"deviceKeys": keys}})
    return json.dumps(calls, indent=1) + "\n"
