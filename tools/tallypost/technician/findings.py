"""A finding about one part of a node, as `tallypost check` shows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tallypost.i18n import N_

PASS, WARN, OPEN, FAIL = N_("pass"), N_("warn"), N_("open"), N_("FAIL")
Body = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """`part`: in English, the key of the JSON. `state`: PASS, WARN, OPEN (not proven yet)
    or FAIL.

    `what`: the observation. `next`: the next step, empty when there is nothing to do. Both are in
    the language in use.
    """

    part: str
    state: str
    what: str
    next: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def passes(findings: Iterable[Finding]) -> bool:
    """Whether a node with these findings may be left alone."""
    return all(finding.state in (PASS, WARN) for finding in findings)
