"""Provisioning: who a node is and what it may use, written to the NVS partition of a flash file.

Node id, configuration, Wi-Fi and MQTT credentials stay in NVS when the file system is flashed
anew. Secrets are made here unless given, are never printed, and never enter a shared image.
"""

from __future__ import annotations

import io
import json
import re
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from esp_idf_nvs_partition_gen import nvs_partition_gen as generator

from tools.faults import ToolError
from tools.partitions import TABLE_OFFSET, TABLE_SIZE, Partition, unpack

NAMESPACE = "tallypost"
_CONFIG_MAX = 1500  # the node's buffer
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SECRET_BYTES = 18
_PAGE = 0x1000  # NVS keeps one free
_LEAST_PAGES = 3  # of ESP-IDF; the largest identity fits then
_CA_MAX = 1500  # the node's buffer
_LIMITS = {"wifi_ssid": 32, "wifi_pass": 63, "mqtt_user": 64, "mqtt_pass": 64}


@dataclass(frozen=True)
class LoraKeys:
    """What a node joins a LoRaWAN network with: EUIs of 8 bytes, key of 16, as on their labels."""

    dev_eui: bytes
    join_eui: bytes
    app_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ToolError; the text holds lengths alone."""
        for name, size in (("dev_eui", 8), ("join_eui", 8), ("app_key", 16)):
            length = len(getattr(self, name))
            if length != size:
                raise ToolError(f"lora_{name} of {length} bytes, {size} are wanted")


@dataclass(frozen=True)
class Identity:
    """What one node is given. Secrets do not show in its repr."""

    node: str
    config: dict[str, Any] = field(default_factory=dict)
    wifi_ssid: str = ""
    wifi_pass: str = field(default="", repr=False)
    mqtt_user: str = ""
    mqtt_pass: str = field(default="", repr=False)
    mqtt_ca: bytes = field(default=b"", repr=False)  # DER
    lora: LoraKeys | None = None

    def complete(self) -> Identity:
        """With a user name and a secret where none was given; raises ToolError."""
        whole = replace(
            self,
            mqtt_user=self.mqtt_user or self.node,
            mqtt_pass=self.mqtt_pass or secrets.token_urlsafe(_SECRET_BYTES),
        )
        whole._check()
        return whole

    def _check(self) -> None:
        if not _ID.fullmatch(self.node):
            raise ToolError(
                f"node id '{self.node}' is not usable",
                "1 to 32 of a-z, 0-9, '-', '_', beginning with a letter or digit",
            )
        for name, most in _LIMITS.items():
            if len(_utf8(name, getattr(self, name))) > most:
                raise ToolError(f"{name} has more than {most} bytes")
        if 0 < len(self.wifi_pass) < 8:
            raise ToolError("wifi_pass has less than 8 characters: no access point accepts that")
        if len(self.mqtt_ca) > _CA_MAX:
            size = len(self.mqtt_ca)
            raise ToolError(
                f"mqtt_ca: certificate of {size} bytes, {_CA_MAX} are the most",
                "an authority with an elliptic key has about 600",
            )
        if len(self.config_blob) > _CONFIG_MAX:
            size = len(self.config_blob)
            raise ToolError(f"configuration of {size} bytes, {_CONFIG_MAX} are the most")

    @property
    def config_blob(self) -> bytes:
        """As JSON; raises ToolError when it cannot be written as such."""
        try:
            text = json.dumps(
                self.config, separators=(",", ":"), sort_keys=True, allow_nan=False,
                ensure_ascii=False,  # the node makes no character of two escaped halves
            )  # fmt: skip
            return text.encode()
        except (ValueError, RecursionError) as error:
            raise ToolError(f"configuration: {error}", "numbers and texts are wanted") from error


def _utf8(name: str, text: str) -> bytes:
    """What argv holds may be no text: undecodable bytes become halves of characters there."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        # The error quotes the text, and it may be a secret.
        raise ToolError(f"{name} is not UTF-8") from None


def nvs_image(identity: Identity, size: int) -> bytes:
    """The contents of an NVS partition of `size` bytes; raises ToolError when it is too small."""
    blobs = {"id": identity.node.encode(), "config": identity.config_blob}
    for name in _LIMITS:
        value = getattr(identity, name).encode()
        if value:
            blobs[name] = value
    if identity.mqtt_ca:
        blobs["mqtt_ca"] = identity.mqtt_ca
    if keys := identity.lora:
        blobs.update(
            lora_dev_eui=keys.dev_eui, lora_join_eui=keys.join_eui, lora_app_key=keys.app_key
        )
    if size % _PAGE or size < _LEAST_PAGES * _PAGE:  # the generator pads some without an end
        raise ToolError(f"an NVS partition of {size} bytes", "wanted: 3 or more times 4096")
    output = io.BytesIO()
    nvs = generator.nvs_open(output, size - _PAGE, version=generator.Page.VERSION2)
    nvs.write_namespace(NAMESPACE)
    for name, value in blobs.items():
        nvs.write_entry(name, value.hex(), "hex2bin")
    nvs.write_entry("boot", 0, "i32")
    generator.nvs_close(nvs)
    image = output.getvalue()
    if len(image) != size:
        raise ToolError(f"NVS image of {len(image)} bytes for a partition of {size}")
    return image


def provision(flash: Path, identity: Identity, dry_run: bool = False) -> Identity:
    """Write an identity into a flash file and read it back; returns it with its secrets.

    Raises ToolError before anything is written when identity or file are not acceptable.
    """
    whole = identity.complete()
    place = _nvs_partition(flash)
    image = nvs_image(whole, place.size)
    if dry_run:
        return whole
    try:
        with open(flash, "r+b") as file:
            file.seek(place.offset)
            file.write(image)
            file.flush()
            file.seek(place.offset)
            if file.read(place.size) != image:
                raise ToolError(f"{flash}: what was written reads back differently")
    except OSError as error:
        raise ToolError(f"{flash}: {error.strerror}") from error
    return whole


def _nvs_partition(flash: Path) -> Partition:
    try:
        with open(flash, "rb") as file:
            file.seek(TABLE_OFFSET)
            table = file.read(TABLE_SIZE)
        partitions = unpack(table)
    except OSError as error:
        raise ToolError(f"{flash}: {error.strerror}", "tallypost build makes one") from error
    except (ValueError, IndexError) as error:
        raise ToolError(f"{flash}: {error}", "tallypost build makes a flash file") from error
    for partition in partitions:
        if partition.label == "nvs":
            if partition.end > flash.stat().st_size:
                raise ToolError(f"{flash}: shorter than its partition table says")
            return partition
    raise ToolError(f"{flash}: its partition table has no 'nvs'")
