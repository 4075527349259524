"""The files that the tool reads: those of the checkout, or their copies in the installed package.

In a checkout the tool reads boards, schema, version and decoder where they stand. A wheel holds
copies of them below `data/`, in the same folders, and the image of every board. So an installed
tool needs no checkout, no compiler and no network.
"""

from __future__ import annotations

import re
from pathlib import Path

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

_PACKAGE = Path(__file__).resolve().parent
_VERSION = re.compile(r'^VERSION = "([^"]+)"$', re.MULTILINE)
VERSION_FILE = "firmware/core/version.py"


def find_checkout(package: Path = _PACKAGE) -> Path | None:
    """The folder of the checkout that this package is a part of, None for an installed one."""
    root = package.parent.parent
    is_checkout = package.parent.name == "tools" and (root / VERSION_FILE).is_file()
    return root if is_checkout else None


CHECKOUT = find_checkout()
ROOT = CHECKOUT or _PACKAGE / "data"


def need_checkout(verb: str) -> Path:
    """The folder of the checkout; raises ToolError if the tool is installed without one."""
    if CHECKOUT is None:
        raise ToolError(
            _("tallypost {verb} needs a checkout of the project").format(verb=verb),
            _("In a checkout run: make setup, then .venv/bin/tallypost {verb}").format(verb=verb),
        )
    return CHECKOUT


def version(root: Path = ROOT) -> str:
    """The version of the firmware and of this tool: they are one number, kept by the firmware."""
    path = root / VERSION_FILE
    try:
        found = _VERSION.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", _("Install the tool again.")) from error
    if not found:
        raise ToolError(
            _("{path}: there is no VERSION").format(path=path), _("Restore this file.")
        )
    return found[1]
