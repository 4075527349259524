"""Files that make the nodes of an inventory known to brokers and LoRaWAN servers.

broker/            the folder of the broker, see broker_files.py
*.password         the passwords of the users `tallypost-listen` and `tallypost-office`
mac_keys.json      by node the key of its records, for `tallypost listen --mac-keys`
ttn.csv            The Things Stack, "CSV File Reference": separated by semicolons, a header row
chirpstack.json    ChirpStack v4 has no import file. These are the bodies of its REST calls, in
                   their order. It calls the AppKey of LoRaWAN 1.0.x `nwkKey` (api/device.proto)

All hold secrets, or values derived from secrets, and have mode 0600.
"""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.inventory import broker_files
from tallypost.inventory.broker_files import read_old
from tallypost.inventory.inventory import Inventory, Secret, write_private

_BROKER_FILES = ("broker/mosquitto.passwd", "broker/mosquitto.acl", "broker/mosquitto.conf")
_SECRET_BYTES = 18
Pair = tuple[dict[str, str], Secret]

_TTN = (
    "id", "dev_eui", "join_eui", "name", "frequency_plan_id", "lorawan_version",
    "lorawan_phy_version", "app_key",
)  # fmt: skip
_TTN_ID = re.compile("(?=.{3,36}$)[a-z0-9]+(-[a-z0-9]+)*")
_EU868 = ("EU_863_870_TTN", "MAC_V1_0_4", "RP002_V1_0_3")


@dataclass(frozen=True)
class Broker:
    """listeners: by port whether it uses TLS. folder: of the files at the broker, "": as it is."""

    listeners: dict[int, bool]
    folder: str = ""


@dataclass(frozen=True)
class ChirpStack:
    """UUIDs. Without them chirpstack.json is not written."""

    application: str = ""
    profile: str = ""


def write_all(
    inventory: Inventory, broker: Broker | None, chirp: ChirpStack = ChirpStack()
) -> list[str]:
    """Write the files for every node of the inventory. Returns their names.

    broker: None: no node has MQTT, and the files of the broker stay as they are.
    """
    pairs = [
        (row, inventory.secrets[node])
        for node, row in sorted(inventory.rows.items())
        if node in inventory.secrets
    ]
    lora = [(row, secret) for row, secret in pairs if secret.app_key and row["dev_eui"]]
    files = _broker_files(inventory, broker, pairs) if broker else {}
    macs = {row["node"]: secret.mac_key for row, secret in pairs if secret.mac_key}
    if macs:
        files["mac_keys.json"] = json.dumps(macs, indent=1) + "\n"
    if lora:
        files["ttn.csv"] = ttn(lora)
        if chirp.application and chirp.profile:
            files["chirpstack.json"] = chirpstack(lora, chirp.application, chirp.profile)
    for name, text in files.items():
        write_private(inventory.folder / name, text)
    return sorted(files)


def _broker_files(inventory: Inventory, broker: Broker, pairs: list[Pair]) -> dict[str, str]:
    """Contents by name. Users of the secrets that have no row lose their access."""
    folder = inventory.folder
    old = {name: read_old(folder / name) for name in _BROKER_FILES}
    users = {user: _own_password(folder / password_file(user)) for user in broker_files.USERS}
    known = [(secret.mqtt_user, secret.mqtt_pass) for _row, secret in pairs]
    ours = {secret.mqtt_user for secret in inventory.secrets.values()} | users.keys()
    nodes = [(row["node"], secret) for row, secret in pairs]
    passwd, acl, conf = _BROKER_FILES
    files = {
        passwd: broker_files.merged_passwords(old[passwd], [*known, *users.items()], ours),
        acl: broker_files.merged_acl(old[acl], broker_files.acl(nodes), ours),
        conf: broker_files.merged_conf(old[conf], broker.listeners, broker.folder),
    }
    return files | {password_file(user): f"{word}\n" for user, word in users.items()}


def password_file(user: str) -> str:
    """The name of the file with the password of one of our own users."""
    return f"{user.removeprefix('tallypost-')}.password"


def _own_password(path: Path) -> str:
    return read_old(path).strip() or secrets.token_urlsafe(_SECRET_BYTES)


def ttn(pairs: Iterable[Pair]) -> str:
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


def chirpstack(pairs: Iterable[Pair], application: str, profile: str) -> str:
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
