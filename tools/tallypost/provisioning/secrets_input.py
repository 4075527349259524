"""What an identity is made of, read from files: secrets, certificates, keys, configuration."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any

from tallypost.faults import USAGE, ToolError
from tallypost.provisioning import settings
from tallypost.provisioning.identity import LoraKeys

_LORA_KEYS = ("dev_eui", "join_eui", "app_key")
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_secret(path: Path | None) -> str:
    """The first line of a file; nothing for no file. A secret on the command line would show."""
    if path is None:
        return ""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{path}: {error}", "a file with the secret in its first line") from error
    if not lines or not lines[0]:
        raise ToolError(f"{path}: its first line is empty")
    return lines[0]


def read_certificate(path: Path | None) -> bytes:
    """One certificate of a PEM or DER file as DER; nothing for no file."""
    if path is None:
        return b""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "the certificate of the authority") from error
    try:
        found = PEM.findall(data.decode("ascii", "replace"))
        der = ssl.PEM_cert_to_DER_cert(found[0]) if len(found) == 1 else data
        ssl.create_default_context(cadata=der)
    except (ssl.SSLError, ValueError) as error:
        raise ToolError(f"{path}: not one certificate", "wanted: one, PEM or DER") from error
    return der


def read_lora_keys(path: Path | None) -> LoraKeys | None:
    """Keys of a JSON file, hexadecimal, most significant byte first; no error shows a value."""
    if path is None:
        return None
    hint = 'wanted: {"dev_eui": 16 digits, "join_eui": 16 digits, "app_key": 32 digits}'
    try:
        table = json.loads(path.read_text())
        keys = {name: bytes.fromhex(table[name]) for name in _LORA_KEYS}
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", hint) from error
    except KeyError as error:
        raise ToolError(f"{path}: {error} is missing", hint) from None
    except (ValueError, TypeError):
        raise ToolError(f"{path}: not a JSON object of hexadecimal digits", hint) from None
    return LoraKeys(**keys)


def read_config(path: Path | None, pairs: list[str], tls: bool = False) -> dict[str, Any]:
    """A file's values, those of KEY=VALUE over them, checked as the node checks them.

    tls: use it, on the port that is reserved for it, unless told otherwise.
    """
    config: Any = {}
    if path:
        try:
            config = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise ToolError(f"{path}: {error}", "a JSON object is wanted") from error
        if not isinstance(config, dict):
            raise ToolError(f"{path}: not a JSON object")
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise ToolError(f"--set {pair}", "wanted KEY=VALUE", USAGE)
        config[key] = settings.from_text(key, text)
    whole = {"mqtt_tls": 1, "mqtt_port": 8883, **config} if tls else dict(config)
    settings.check(whole)
    return whole
