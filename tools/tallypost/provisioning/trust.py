"""The parties that a node trusts: the authority of the broker, and the keys of the fleet.

TLS is the default of every node that has MQTT. Plain text needs the word --insecure-plain.
"""

from __future__ import annotations

import argparse
import ssl
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import _
from tallypost.inventory.import_files import Broker
from tallypost.provisioning import secrets_input
from tallypost.provisioning import settings
from tallypost.provisioning.identity import Identity
from tallypost.security.authority import Authority, names_of, write_public
from tallypost.security.fleet_keys import FleetKeys, serial_now

_TLS = {"mqtt_tls": 1, "mqtt_port": 8883}
_DEFAULTS = {row[0]: row[4] for row in settings.table()}


def with_transport(config: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """The configuration with TLS on the port that is reserved for it, unless it says otherwise."""
    if args.insecure_plain or config.get("link") == "lorawan":
        return config
    return {**_TLS, **config}


def check_transport(identity: Identity, args: argparse.Namespace) -> None:
    """Raises ToolError for a node that would send in plain text without a word about it."""
    if uses_mqtt(identity) and not uses_tls(identity) and not args.insecure_plain:
        raise ToolError(
            _("mqtt_tls = 0: everybody on the way could read and change counts and passwords"),
            _("Remove mqtt_tls, or add --insecure-plain."),
            USAGE,
        )


def check_authority(identity: Identity, args: argparse.Namespace) -> None:
    """Raises ToolError for a node that would not know whose broker to trust."""
    check_transport(identity, args)
    if uses_mqtt(identity) and uses_tls(identity) and not args.mqtt_ca and not args.out:
        raise ToolError(
            _("without an authority the node would trust no broker"),
            _("Add --out FOLDER to make one, or --mqtt-ca FILE. Plain text: --insecure-plain."),
            USAGE,
        )


def uses_mqtt(identity: Identity) -> bool:
    return bool(identity.config.get("link", _DEFAULTS["link"]) != "lorawan")


def uses_tls(identity: Identity) -> bool:
    return bool(identity.config.get("mqtt_tls", _DEFAULTS["mqtt_tls"]))


class Trust:
    """What the nodes of one call trust. Nothing is made with --dry-run. Raises ToolError."""

    def __init__(self, args: argparse.Namespace, identities: Iterable[Identity]) -> None:
        self._args = args
        self._mqtt = [one for one in identities if uses_mqtt(one)]
        self._tls = [one for one in self._mqtt if uses_tls(one)]
        self._certificates = self._authorities() if self._tls else []
        self._moduli = self._fleet()

    def give(self, identity: Identity) -> Identity:
        """The identity with authorities and keys."""
        ca, ca2 = [*self._certificates, b"", b""][:2] if uses_tls(identity) else [b"", b""]
        serial = serial_now() if self._moduli else 0
        return replace(identity, mqtt_ca=ca, mqtt_ca2=ca2, fleet_keys=self._moduli, serial=serial)

    def broker(self) -> Broker | None:
        """How the nodes reach the broker. Makes its certificate. None without MQTT."""
        if not self._mqtt:
            return None
        if self._tls and _has_own(self._args.out):
            self._certify()
        listeners = {_port(one): uses_tls(one) for one in self._mqtt}
        return Broker(listeners, self._args.broker_folder or "")

    def _certify(self) -> None:
        authority = Authority(self._args.out)
        hosts = {str(one.config.get("mqtt_host", _DEFAULTS["mqtt_host"])) for one in self._tls}
        if authority.certify_broker(hosts):
            certificate = authority.broker_certificate()
            names = ", ".join(names_of(certificate)) if certificate else ""
            text = _("The broker has a new certificate for {names}. Copy {folder} to it.")
            console.note(text.format(names=names, folder=self._args.out / "broker"))

    def _authorities(self) -> list[bytes]:
        given, out = self._args.mqtt_ca, self._args.out
        if given:
            found = secrets_input.read_certificates(given)
            if out and not self._args.dry_run:
                _take(out, given)
            return found
        if not out:
            return []
        if (out / "ca.pem").exists() and not _has_own(out):
            return secrets_input.read_certificates(out / "ca.pem")
        if self._args.dry_run and not _has_own(out):
            return []
        return Authority.open(out).trusted()

    def _fleet(self) -> tuple[bytes, ...]:
        out = self._args.out
        if not out or (self._args.dry_run and not FleetKeys(out).numbers()):
            return ()
        return FleetKeys.open(out).moduli()


def _has_own(out: Path | None) -> bool:
    return bool(out and (out / "authority").is_dir())


def _take(out: Path, given: Path) -> None:
    """Keep the authority of the city for later calls. Raises ToolError."""
    if _has_own(out):
        raise ToolError(
            _("{folder}: the folder has an authority of its own").format(folder=out),
            _("Remove --mqtt-ca, or name another folder with --out."),
            USAGE,
        )
    ders = secrets_input.read_certificates(given)
    write_public(out / "ca.pem", "".join(map(ssl.DER_cert_to_PEM_cert, ders)))


def _port(identity: Identity) -> int:
    return int(identity.config.get("mqtt_port", _DEFAULTS["mqtt_port"]))
