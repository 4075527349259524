"""The comparison of `tallypost compare` as a page: a table, misses, phantoms and their times."""

from __future__ import annotations

from html import escape
from typing import Any

from tallypost.i18n import N_, _, decimal, in_use

STYLE = """
body { font: 15px/1.4 sans-serif; margin: 2em; color: #222; background: #fff; max-width: 60em }
table { border-collapse: collapse; margin: .5em 0 1em } td, th { padding: .2em .7em;
border: 1px solid #ccc; text-align: right } td:nth-child(-n+2), th:nth-child(-n+2) {
text-align: left } .all { font-weight: bold }
"""
_COLUMNS = (
    N_("direction"), N_("class"), N_("passed"), N_("counted"), N_("matched"), N_("missed"),
    N_("phantoms"), N_("right class"), N_("recall"), N_("precision"), "GEH",
)  # fmt: skip
_KEYS = ("passed", "counted", "matched", "missed", "phantoms", "class_right")


def page(found: dict[str, Any]) -> str:
    """The HTML, in the language in use."""
    title = _("Counts against a tally by hand")
    about = _(
        "A count matches within {s} s. The clocks were moved by {offset} s. By chance {chance}"
        " would match."
    ).format(
        s=decimal(found["window_s"], 1),
        offset=decimal(found["offset_s"], 2),
        chance=_share(found["by_chance"]),
    )
    return (
        f'<!DOCTYPE html><html lang="{in_use()}"><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style><h1>{escape(title)}</h1><p>{escape(about)}</p>"
        f"{_table(found['rows'])}"
        f"{_list(_('Missed'), found['missed'])}{_list(_('Phantoms'), found['phantoms'])}</html>\n"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    head = "".join(f"<th>{escape(_(name))}</th>" for name in _COLUMNS)
    lines = []
    for row in rows:
        cells = [_(row["direction"]), _(row["class"]), *(str(row[key]) for key in _KEYS)]
        cells += [_share(row["recall"]), _share(row["precision"]), decimal(row["geh"], 1)]
        style = ' class="all"' if row["class"] == "all" else ""
        lines.append(f"<tr{style}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def _list(title: str, passages: list[dict[str, str]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one['utc'])}</td><td>{escape(_(one['direction']))}</td>"
        f"<td>{escape(_(one['class']))}</td></tr>"
        for one in passages
    )
    return f"<h2>{escape(title)}: {len(passages)}</h2><table>{rows}</table>"


def _share(value: float | None) -> str:
    return "-" if value is None else _("{n}%").format(n=decimal(100 * value, 1))
