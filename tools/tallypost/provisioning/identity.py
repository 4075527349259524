"""Who a node is and what it may use: checked here, and sealed for the node to check again.

The node reads these keys of the NVS namespace `tallypost`. `seal` is the CRC-32, little-endian,
over all of them that are there, in the order of SEALED: key, 0, length as u16, value. A node
whose seal is not right refuses to count: it may hold half of one identity and half of another.
"""

from __future__ import annotations

import json
import secrets
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from tallypost.faults import ToolError
from tallypost.inventory.inventory import NODE_ID

NAMESPACE = "tallypost"
SEALED = (
    "id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass", "mqtt_ca",
    "lora_dev_eui", "lora_join_eui", "lora_app_key",
)  # fmt: skip
_CONFIG_MAX = 1500  # the node's buffer
_SECRET_BYTES = 18
_CA_MAX = 1500  # the node's buffer
_LIMITS = {"wifi_ssid": 32, "wifi_pass": 63, "mqtt_user": 64, "mqtt_pass": 64}
EUI_BYTES, KEY_BYTES = 8, 16


@dataclass(frozen=True)
class LoraKeys:
    """What a node joins a LoRaWAN network with: EUIs of 8 bytes, key of 16, as on their labels."""

    dev_eui: bytes
    join_eui: bytes
    app_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ToolError; the text holds lengths alone."""
        wanted = {"dev_eui": EUI_BYTES, "join_eui": EUI_BYTES, "app_key": KEY_BYTES}
        for name, size in wanted.items():
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
        if not NODE_ID.fullmatch(self.node):
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

    @property
    def sealed(self) -> dict[str, bytes]:
        """The keys that the seal covers, in its order; what is empty is left out."""
        values = {"id": self.node.encode(), "mqtt_ca": self.mqtt_ca}
        values |= {name: getattr(self, name).encode() for name in _LIMITS}
        if keys := self.lora:
            values["lora_dev_eui"] = keys.dev_eui
            values["lora_join_eui"] = keys.join_eui
            values["lora_app_key"] = keys.app_key
        return {key: values[key] for key in SEALED if values.get(key)}

    @property
    def entries(self) -> dict[str, bytes]:
        """Everything for NVS, the node id at the very end: without it there is no identity."""
        sealed = self.sealed
        node = sealed.pop("id")
        return {"config": self.config_blob, **sealed, "seal": seal(self.sealed), "id": node}


def seal(values: dict[str, bytes]) -> bytes:
    """The seal over what of SEALED is in `values`."""
    crc = 0
    for key in SEALED:
        if key in values:
            head = key.encode() + b"\0" + struct.pack("<H", len(values[key]))
            crc = zlib.crc32(head + values[key], crc)
    return struct.pack("<I", crc)


def _utf8(name: str, text: str) -> bytes:
    """What argv holds may be no text: undecodable bytes become halves of characters there."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        # The error quotes the text, and it may be a secret.
        raise ToolError(f"{name} is not UTF-8") from None
