"""Reads the parts of an identity from files: secrets, certificates, keys, configuration."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import _
from tallypost.provisioning import settings
from tallypost.provisioning.identity import LoraKeys
from tallypost.security.authority import TRUSTED_MAX

_LORA_KEYS = ("dev_eui", "join_eui", "app_key")
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def read_secret(path: Path | None) -> str:
    """The first line of a file, "" without a file. A secret on the command line would be visible.

    Marks and blanks that an editor has added are left out, with a note. Raises ToolError. No text
    shows a character of the secret.
    """
    if path is None:
        return ""
    advice = _("Name a file with the secret in its first line.")
    first, *more = read_text(path, advice).split("\n")
    line = first.rstrip("\r")
    secret = line.strip(" \t")
    if not secret:
        raise ToolError(_("{path}: the first line is empty").format(path=path), advice)
    for place, character in enumerate(secret, 1):
        if not character.isprintable():
            what = _("{path}: character {place} of the first line is invisible (U+{code})")
            raise ToolError(
                what.format(path=path, place=place, code=f"{ord(character):04X}"),
                _("Type the secret again, in an editor for plain text."),
            )
    if secret != line:
        _warn(path, _("blanks around the secret in the first line were left out"))
    if any(line.strip() for line in more):
        _warn(path, _("only the first line is used, but there are more"))
    return secret


def read_text(path: Path, advice: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its mark. Raises ToolError with `advice`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from error
    marks = [mark for mark in _MARKS if data.startswith(mark)]
    encoding = _MARKS[marks[0]] if marks else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        what = _("{path}: the file is not text in UTF-8")
        raise ToolError(what.format(path=path), _("Save it as plain text in UTF-8.")) from error
    if encoding == "utf-16":
        _warn(path, _("the file is in UTF-16, it was converted"))
    return text


def _warn(path: Path, text: str) -> None:
    console.note(_("warning: {text}").format(text=f"{path}: {text}"))


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
        table = json.loads(read_text(path, advice))
        keys = {name: bytes.fromhex(table[name]) for name in _LORA_KEYS}
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
            config = json.loads(read_text(path, advice))
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
    settings.check_hosts(config)
    return dict(config)
