"""`tallypost keys`: the keys that sign settings which can lose a node or hand it over."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization

from tallypost import console
from tallypost.i18n import N_, _
from tallypost.security.fleet_keys import BITS, FleetKeys

_SIGNS, _VALID = N_("signs"), N_("valid")
_DONE = {
    "new": N_("Key {number} is made, and signs. Provision the nodes with this folder."),
    "rotate": N_("Key {number} is made. Provision the nodes, then run: tallypost keys switch"),
    "switch": N_("Key {number} signs from now on."),
}


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "action", choices=("list", "new", "rotate", "switch", "public"),
        help=_("show the keys, make the first or the next one, let the newest sign, or print the"
               " public part of the one that signs"),
    )  # fmt: skip
    add(
        "--out", type=Path, required=True, metavar=_("FOLDER"),
        help=_("the folder of tallypost provision --out"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Carry out the action. No private key is ever printed. Raises ToolError."""
    keys = FleetKeys(args.out)
    if args.action == "public":
        console.result(_public_pem(keys, keys.signer()).rstrip())
        return 0
    if args.action != "list":
        number = {"new": keys.make, "rotate": keys.rotate, "switch": keys.switch}[args.action]()
        console.note(_(_DONE[args.action]).format(number=number))
    signer = keys.signer()
    rows = [_row(keys, number, signer) for number in keys.numbers()]
    if args.json:
        console.result_json({"keys": rows})
        return 0
    cells = [
        (str(row["number"]), _(row["state"]), row["sha256"][:16],
         _("on this machine") if row["private"] else _("elsewhere"))
        for row in rows
    ]  # fmt: skip
    columns = (">" + _("key"), _("state"), "SHA-256", _("private part"))
    console.table(_("Keys of the fleet, RSA with {bits} bits").format(bits=BITS), columns, cells)
    return 0


def _row(keys: FleetKeys, number: int, signer: int) -> dict[str, Any]:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        keys.public(number).public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    state = _SIGNS if number == signer else _VALID
    return {
        "number": number, "state": state, "sha256": digest.finalize().hex(),
        "private": keys.has_private(number),
    }  # fmt: skip


def _public_pem(keys: FleetKeys, number: int) -> str:
    encoded = keys.public(number).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()
