"""The published table equals the scenarios, and no number is missing."""

from __future__ import annotations

from tests.conformance.support import table

NUMBERS = (
    "001A 002 003 004 005 006 007 008 009 010 011 012A 012B 013 014 015A 015B 016 017 018 019A"
    " 019B 020 021 022"
)


def test_the_published_table_is_up_to_date() -> None:
    assert table.TABLE.read_text() == table.text()


def test_every_number_has_a_scenario_with_a_description() -> None:
    rows = table.rows()
    assert [number for number, _what in rows] == NUMBERS.split()
    assert all(len(what) > 40 for _number, what in rows)
