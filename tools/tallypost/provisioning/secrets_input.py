"""Reads the parts of an identity from files: secrets, certificates, keys, configuration."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any

from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import _
from tallypost.provisioning import settings
from tallypost.provisioning.identity import LoraKeys
from tallypost.security.authority import TRUSTED_MAX

_LORA_KEYS = ("dev_eui", "join_eui", "app_key")
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_secret(path: Path | None) -> str:
    """The first line of a file, "" without a file. A secret on the command line would be visible.

    Raises ToolError."""
    if path is None:
        return ""
    advice = _("Name a file with the secret in its first line.")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from error
    except UnicodeDecodeError as error:
        raise ToolError(_("{path}: the file is not text").format(path=path), advice) from error
    if not lines or not lines[0]:
        raise ToolError(_("{path}: the first line is empty").format(path=path), advice)
    return lines[0]


def read_certificates(path: Path) -> list[bytes]:
    """One or two certificates of a PEM file, or one of a DER file, as DER. Raises ToolError."""
    advice = _("Name a file with one or two certificates of authorities, PEM or DER.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from error
    try:
        found = PEM.findall(data.decode("ascii", "replace"))
        certificates = [ssl.PEM_cert_to_DER_cert(one) for one in found] or [data]
        for der in certificates:
            ssl.create_default_context(cadata=der)
    except (ssl.SSLError, ValueError) as error:
        what = _("{path}: the file does not hold certificates")
        raise ToolError(what.format(path=path), advice) from error
    if len(certificates) > TRUSTED_MAX:
        what = _("{path}: the file holds {n} certificates")
        raise ToolError(what.format(path=path, n=len(certificates)), advice)
    return certificates


def read_lora_keys(path: Path | None) -> LoraKeys | None:
    """Keys of a JSON file, hexadecimal, most significant byte first.

    Raises ToolError. No error shows a value, because the keys are secret.
    """
    if path is None:
        return None
    advice = _("Name a JSON file such as {example}.").format(
        example='{"dev_eui": 16 digits, "join_eui": 16 digits, "app_key": 32 digits}'
    )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        keys = {name: bytes.fromhex(table[name]) for name in _LORA_KEYS}
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from error
    except KeyError as error:
        what = _("{path}: the key {key} is missing")
        raise ToolError(what.format(path=path, key=error), advice) from None
    except (ValueError, TypeError):
        what = _("{path}: the file is not a JSON object of hexadecimal digits")
        raise ToolError(what.format(path=path), advice) from None
    return LoraKeys(**keys)


def read_config(path: Path | None, pairs: list[str]) -> dict[str, Any]:
    """The values of a file, overridden by those of KEY=VALUE, checked as the node checks them.

    Raises ToolError.
    """
    config: Any = {}
    advice = _("Name a file with one JSON object.")
    if path:
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ToolError(f"{path}: {os_reason(error)}", advice) from error
        except (ValueError, RecursionError) as error:
            what = _("{path}: the file is not JSON: {reason}")
            raise ToolError(what.format(path=path, reason=error), advice) from error
        if not isinstance(config, dict):
            raise ToolError(_("{path}: the file is not a JSON object").format(path=path), advice)
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            what = _("--set {pair}: the key or the value is missing").format(pair=pair)
            raise ToolError(what, _("Write it as --set KEY=VALUE."), USAGE)
        config[key] = settings.from_text(key, text)
    settings.check(config)
    return dict(config)
