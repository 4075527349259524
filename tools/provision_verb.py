"""`tallypost provision FLASHFILE --node ID`: options in, identity to the flash file, a row out."""

from __future__ import annotations

import argparse
import json
import os
import re
import ssl
from pathlib import Path
from typing import Any

from tools import console
from tools.faults import USAGE, ToolError
from tools.provision import Identity, LoraKeys, provision


_LORA_KEYS = ("dev_eui", "join_eui", "app_key")
PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("flash", type=Path, metavar="FLASHFILE", help="a flash image of `tallypost build`")
    add("--node", required=True, help="node id: a-z, 0-9, '-', '_'")
    add("--config", type=Path, metavar="FILE", help="configuration, a JSON object")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one configuration value")
    add("--wifi-ssid", default="", metavar="NAME")
    add("--wifi-password-file", type=Path, metavar="FILE")
    add("--mqtt-user", default="", metavar="NAME", help="default: the node id")
    add("--mqtt-password-file", type=Path, metavar="FILE", help="default: a new secret")
    add("--mqtt-ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority")
    add("--lorawan", type=Path, metavar="FILE", help="JSON: dev_eui, join_eui, app_key, as digits")
    add("--secrets-out", type=Path, metavar="FILE", help="where to put user and secret (0600)")
    add("--dry-run", action="store_true", help="check only")
    add("--json", action="store_true", help="for machines; no secret in it")


def run(args: argparse.Namespace) -> int:
    identity = Identity(
        node=args.node,
        config=_config(args.config, args.set, tls=bool(args.mqtt_ca)),
        wifi_ssid=args.wifi_ssid,
        wifi_pass=read_secret(args.wifi_password_file),
        mqtt_user=args.mqtt_user,
        mqtt_pass=read_secret(args.mqtt_password_file),
        mqtt_ca=read_certificate(args.mqtt_ca),
        lora=read_lora_keys(args.lorawan),
    )
    makes_secret = not identity.mqtt_pass
    if makes_secret and not args.secrets_out and not args.dry_run:
        raise ToolError(
            "a new MQTT secret would be known to the node alone",
            "add --secrets-out FILE, or --mqtt-password-file FILE",
            USAGE,
        )
    if args.secrets_out and not args.dry_run:
        whole = _provision_and_tell(args.flash, identity, args.secrets_out)
    else:
        whole = provision(args.flash, identity, args.dry_run)
    row: dict[str, object] = {
        "node": whole.node,
        "mqtt_user": whole.mqtt_user,
        "wifi_ssid": whole.wifi_ssid,
    }
    row |= {"flash": str(args.flash), "written": not args.dry_run}
    if args.json:
        console.result_json(row)
    else:
        state = "would be" if args.dry_run else "is"
        console.result(f"{args.flash} {state} node '{whole.node}', MQTT user '{whole.mqtt_user}'")
    return 0


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


def _config(path: Path | None, settings: list[str], tls: bool = False) -> dict[str, Any]:
    """tls: use it, on the port that is reserved for it, unless told otherwise."""
    config: Any = {}
    if path:
        try:
            config = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ToolError(f"{path}: {error}", "a JSON object is wanted") from error
        if not isinstance(config, dict):
            raise ToolError(f"{path}: not a JSON object")
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not key or not equals:
            raise ToolError(f"--set {setting}", "wanted KEY=VALUE", USAGE)
        config[key] = _value(text)
    return {"mqtt_tls": 1, "mqtt_port": 8883, **config} if tls else dict(config)


def _value(text: str) -> int | str:
    """Configuration knows numbers and texts."""
    try:
        return int(text)
    except ValueError:
        return text


def _provision_and_tell(flash: Path, identity: Identity, path: Path) -> Identity:
    """The secret is in its file before the node has it: later there may be no place for it."""
    whole = identity.complete()
    _write_secret(path, whole)
    try:
        return provision(flash, whole)
    except Exception:  # not Ctrl-C: the node may have the secret by then
        path.unlink()
        raise


def _write_secret(path: Path, identity: Identity) -> None:
    """A new file for its owner alone; raises ToolError, and leaves none then."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        hint = "secrets are not overwritten: name another file"
        raise ToolError(f"{path} exists", hint, USAGE) from error
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "name another file") from error
    try:
        with open(fd, "w") as file:
            json.dump({"user": identity.mqtt_user, "password": identity.mqtt_pass}, file)
            file.write("\n")
            file.flush()
            os.fsync(fd)
    except OSError as error:
        path.unlink()
        raise ToolError(f"{path}: {error.strerror}", "name another file") from error
