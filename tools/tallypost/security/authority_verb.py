"""`tallypost authority`: the authorities that nodes trust, and the certificate of the broker."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import ToolError
from tallypost.i18n import N_, _
from tallypost.security.authority import Authority, names_of

_SIGNS, _TRUSTED = N_("signs"), N_("trusted")
_DONE = {
    "rotate": N_("Authority {number} is made. Provision all nodes, then run: tallypost authority"
                 " switch"),
    "switch": N_("Authority {number} signs from now on. Copy {folder} to the broker."),
    "renew": N_("The broker has a new certificate. Copy {folder} to it."),
}  # fmt: skip


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "action", choices=("list", "rotate", "switch", "renew"),
        help=_("show the authorities, make the next one, let the newest sign, or renew the"
               " certificate of the broker"),
    )  # fmt: skip
    add(
        "--out", type=Path, required=True, metavar=_("FOLDER"),
        help=_("the folder of tallypost provision --out"),
    )  # fmt: skip
    add(
        "--name", action="append", default=[], metavar="HOST",
        help=_("another name or address of the broker; may be repeated"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Carry out the action. No private key is ever printed. Raises ToolError."""
    authority = Authority(args.out)
    if not authority.numbers():
        raise ToolError(
            _("{folder}: there is no authority").format(folder=args.out / "authority"),
            _("tallypost provision --out FOLDER makes one."),
        )
    if args.action != "list":
        number = _change(authority, args)
        text = _(_DONE[args.action]).format(number=number, folder=args.out / "broker")
        console.note(text)
    rows = _rows(authority)
    if args.json:
        console.result_json({"certificates": rows})
        return 0
    cells = [(row["name"], _(row["state"]), row["until"]) for row in rows]
    console.table(_("Certificates"), (_("certificate"), _("state"), _("valid until")), cells)
    return 0


def _change(authority: Authority, args: argparse.Namespace) -> int:
    if args.action == "rotate":
        return authority.rotate()
    number = authority.switch() if args.action == "switch" else authority.issuer()
    if not authority.certify_broker(args.name, again=True):
        raise ToolError(
            _("the broker has no certificate of this authority"),
            _("Name the broker with --name HOST."),
        )
    return number


def _rows(authority: Authority) -> list[dict[str, Any]]:
    issuer = authority.issuer()
    rows = []
    for number in authority.numbers():
        certificate = authority.certificate(number)
        state = _SIGNS if number == issuer else _TRUSTED
        until = certificate.not_valid_after_utc.strftime("%Y-%m-%d")
        rows.append({"name": f"authority {number}", "state": state, "until": until})
    if broker := authority.broker_certificate():
        names = ", ".join(names_of(broker))
        until = broker.not_valid_after_utc.strftime("%Y-%m-%d")
        rows.append({"name": f"broker {names}", "state": "", "until": until})
    return rows
