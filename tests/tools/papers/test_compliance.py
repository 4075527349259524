"""COMPLIANCE.md: each proof exists, and each row says what it must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.tidy.source import ROOT

STATES = {"met", "partly", "open", "n.a."}
PAGE = ROOT / "COMPLIANCE.md"
# A path with a folder or an ending, and the name of a test in it.
_PROOF = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md))(?:::(\w+))?`")
_ROW = re.compile(r"^\| (.+?) \| (met|partly|open|n\.a\.|[^|]*) \| (.+) \|$", re.MULTILINE)
Row = tuple[str, str, str]


def rows(text: str) -> list[Row]:
    """(provision, state, proof) of all tables, without their headings."""
    return [row for row in _ROW.findall(text) if row[1] not in ("state", "---")]


def faults(row: Row, root: Path) -> list[str]:
    """The proofs of a row that do not exist, and what its state lacks."""
    provision, state, text = row
    found = []
    if state not in STATES:
        found.append(f"{provision}: '{state}' is no state")
    proofs = _PROOF.findall(text)
    if state == "met" and not proofs:
        found.append(f"{provision}: met without a proof")
    for path, test in proofs:
        if not (root / path).is_file():
            found.append(f"{provision}: there is no {path}")
        elif test and f"\ndef {test}(" not in (root / path).read_text(encoding="utf-8"):
            found.append(f"{provision}: {path} has no {test}")
    return found


@pytest.mark.parametrize("row", rows(PAGE.read_text(encoding="utf-8")), ids=lambda row: row[0])
def test_the_proofs_of_a_provision_exist(row: Row) -> None:
    assert faults(row, ROOT) == []


def test_the_page_has_both_tables() -> None:
    names = [row[0] for row in rows(PAGE.read_text(encoding="utf-8"))]
    assert len(names) == len(set(names)) > 40
    for section in range(1, 14):
        assert any(name.startswith(f"5.{section}-") for name in names), section
    assert any(name.startswith("I (2)") for name in names)


def test_each_attack_that_is_met_names_a_test() -> None:
    attacks = rows(PAGE.read_text(encoding="utf-8").split("## Attacks")[1])
    assert len(attacks) == 24
    for attack, state, text in attacks:
        tests = [test for _path, test in _PROOF.findall(text)]
        assert state != "met" or (tests and all(tests)), attack


def test_the_files_that_security_names_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    paths = re.findall(r"\]\(([\w./-]+)\)", text) + [path for path, _test in _PROOF.findall(text)]
    named = [path for path in paths if "/" in path]
    assert named and [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize(
    "row",
    (
        ("5.1-1", "met", "nothing"), ("5.1-1", "done", "`SECURITY.md`"),
        ("5.1-1", "met", "`tests/none.py`"), ("5.1-1", "partly", "`SECURITY.md::test_x`"),
    ),
)  # fmt: skip
def test_a_row_without_its_proof_is_found(row: Row) -> None:
    assert faults(row, ROOT)


def test_security_names_the_pages_it_needs() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for part in ("## Report a weakness", "**Support period.**", "## At the cable",
                 "## Hardware protection"):  # fmt: skip
        assert part in text
