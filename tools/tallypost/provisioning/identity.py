"""The identity of a node and its secrets, checked and then sealed for a check on the node.

The node reads these keys of the NVS namespace `tallypost`. `seal` is the CRC-32, little-endian,
over all keys present, in the order of SEALED: key, 0, length as u16, value. If the seal is wrong,
the node refuses to count, because it may hold half of one identity and half of another.

    mqtt_ca2             DER, a second authority, for the time of a change
    fleet_key, fleet_key2
                         the moduli of the RSA keys that may sign settings, big-endian
    mac_key              32 bytes, the key of the node for the HMAC of its records

The seal does not cover `cfg_serial`, i32, the serial of the last signed settings: the node writes
it.
"""

from __future__ import annotations

import json
import secrets
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.inventory.broker_files import USERS
from tallypost.inventory.inventory import NODE_ID

NAMESPACE = "tallypost"
SEALED = (
    "id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass", "mqtt_ca",
    "lora_dev_eui", "lora_join_eui", "lora_app_key", "mqtt_ca2", "fleet_key", "fleet_key2",
    "mac_key",
)  # fmt: skip
_CONFIG_MAX_BYTES = 1500  # buffer of the node
_SECRET_BYTES = 18
MAC_KEY_BYTES = 32
FLEET_KEYS_MAX = 2
_CA_MAX_BYTES = 1500  # buffer of the node
_MAX_BYTES = {"wifi_ssid": 32, "wifi_pass": 63, "mqtt_user": 64, "mqtt_pass": 64}
_WIFI_PASS_MIN = 8  # characters
EUI_BYTES, KEY_BYTES = 8, 16


@dataclass(frozen=True)
class LoraKeys:
    """The keys to join a LoRaWAN network, as on their labels: EUIs of 8 bytes, a key of 16."""

    dev_eui: bytes
    join_eui: bytes
    app_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raises ToolError. The text holds lengths alone, because the values are secret."""
        sizes = {"dev_eui": EUI_BYTES, "join_eui": EUI_BYTES, "app_key": KEY_BYTES}
        for name, size in sizes.items():
            length = len(getattr(self, name))
            if length != size:
                what = _("lora_{name} has {length} bytes, expected: {size}")
                raise ToolError(
                    what.format(name=name, length=length, size=size),
                    _("Copy the key again from its label or from the network server."),
                )


@dataclass(frozen=True)
class Identity:
    """The identity of one node. Its repr shows no secret."""

    node: str
    config: dict[str, Any] = field(default_factory=dict)
    wifi_ssid: str = ""
    wifi_pass: str = field(default="", repr=False)
    mqtt_user: str = ""
    mqtt_pass: str = field(default="", repr=False)
    mqtt_ca: bytes = field(default=b"", repr=False)  # DER
    lora: LoraKeys | None = None
    mqtt_ca2: bytes = field(default=b"", repr=False)  # DER
    fleet_keys: tuple[bytes, ...] = field(default=(), repr=False)  # moduli
    mac_key: bytes = field(default=b"", repr=False)
    serial: int = 0

    def complete(self) -> Identity:
        """With a user name and a new secret where none was given. Raises ToolError."""
        complete = replace(
            self,
            mqtt_user=self.mqtt_user or self.node,
            mqtt_pass=self.mqtt_pass or secrets.token_urlsafe(_SECRET_BYTES),
        )
        complete._check()
        return complete

    def _check(self) -> None:
        if not NODE_ID.fullmatch(self.node):
            raise ToolError(
                _("the node id '{node}' is not allowed").format(node=self.node),
                _(
                    "Use 1 to 32 characters of a-z, 0-9, '-' and '_', with a letter or a digit at"
                    " the beginning."
                ),
            )
        _check_names(self.mqtt_user, str(self.config.get("mqtt_root", "")))
        for name, maximum in _MAX_BYTES.items():
            size = len(_utf8(name, getattr(self, name)))
            if size > maximum:
                raise _too_long(name, size, maximum, _("Use a shorter one."))
        if 0 < len(self.wifi_pass) < _WIFI_PASS_MIN:
            raise ToolError(
                _("wifi_pass has less than {minimum} characters, which no access point accepts")
                .format(minimum=_WIFI_PASS_MIN),
                _("Give the password of the Wi-Fi network."),
            )  # fmt: skip
        for name in ("mqtt_ca", "mqtt_ca2"):
            if (size := len(getattr(self, name))) > _CA_MAX_BYTES:
                advice = _("Use an authority with an elliptic key: it has about 600 bytes.")
                raise _too_long(name, size, _CA_MAX_BYTES, advice)
        if len(self.config_blob) > _CONFIG_MAX_BYTES:
            advice = _("Remove settings from the configuration.")
            raise _too_long("config", len(self.config_blob), _CONFIG_MAX_BYTES, advice)

    @property
    def config_blob(self) -> bytes:
        """The configuration as JSON. Raises ToolError if it has other values than that."""
        try:
            text = json.dumps(
                self.config, separators=(",", ":"), sort_keys=True, allow_nan=False,
                ensure_ascii=False,  # the node cannot join two escaped halves of a character
            )  # fmt: skip
            return text.encode()
        except (ValueError, RecursionError) as error:
            raise ToolError(
                _("configuration: {reason}").format(reason=error),
                _("Use numbers and texts alone."),
            ) from error

    @property
    def sealed(self) -> dict[str, bytes]:
        """The keys that the seal covers, in its order. Empty ones are left out."""
        values = {"id": self.node.encode(), "mqtt_ca": self.mqtt_ca, "mqtt_ca2": self.mqtt_ca2}
        values |= {name: getattr(self, name).encode() for name in _MAX_BYTES}
        if keys := self.lora:
            values["lora_dev_eui"] = keys.dev_eui
            values["lora_join_eui"] = keys.join_eui
            values["lora_app_key"] = keys.app_key
        values |= dict(zip(("fleet_key", "fleet_key2"), self.fleet_keys, strict=False))
        values["mac_key"] = self.mac_key
        return {key: values[key] for key in SEALED if values.get(key)}

    @property
    def entries(self) -> dict[str, int | bytes]:
        """All keys for NVS. The node id comes last: without it there is no identity."""
        sealed = self.sealed
        node = sealed.pop("id")
        values: dict[str, int | bytes] = {"config": self.config_blob, **sealed}
        if self.serial:
            values["cfg_serial"] = self.serial
        return {**values, "seal": seal(self.sealed), "id": node}


def seal(values: dict[str, bytes]) -> bytes:
    """The seal over the keys of SEALED that are in `values`."""
    crc = 0
    for key in SEALED:
        if key in values:
            head = key.encode() + b"\0" + struct.pack("<H", len(values[key]))
            crc = zlib.crc32(head + values[key], crc)
    return struct.pack("<I", crc)


def _check_names(user: str, root: str) -> None:
    """Raises ToolError for names that would mean something else in the files of a broker."""
    for name, text, bad in (("mqtt_user", user, ":#+"), ("mqtt_root", root, "")):
        if not text.isprintable() or text != text.strip() or set(text) & set(bad):
            raise ToolError(
                _("{name} = {text} is not allowed").format(name=name, text=repr(text)),
                _("Use letters, digits, '-' and '_'."),
            )
    if user in USERS:
        raise ToolError(
            _("mqtt_user = '{user}' is a user of the backend").format(user=user),
            _("Use another name for the node."),
        )


def _utf8(name: str, text: str) -> bytes:
    """UTF-8 of a text. Raises ToolError. Bytes of argv that cannot be decoded are surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        # The error quotes the text, and it may be a secret.
        raise ToolError(
            _("{name} is not UTF-8").format(name=name), _("Give it in the encoding UTF-8.")
        ) from None


def _too_long(name: str, size: int, maximum: int, advice: str) -> ToolError:
    what = _("{name} has {size} bytes, at most {maximum} are allowed")
    return ToolError(what.format(name=name, size=size, maximum=maximum), advice)
