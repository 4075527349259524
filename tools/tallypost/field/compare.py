"""`tallypost compare`: the counts of a node against a tally by hand, passage by passage.

The tally is the file of the page of `tallypost truth`. The counts are those of a recording, the
file of `tallypost replay --json`, or another tally. Totals alone prove little: misses and phantoms
cancel in them. Only the time between START and STOP is compared.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import ToolError
from tallypost.field import compare_page
from tallypost.field.matching import (
    CLASSES, DIRECTIONS, Pairing, Seen, by_chance, moved, offset, paired,
)  # fmt: skip
from tallypost.i18n import _, decimal

WINDOW_S = 1.5
PAIRS_MIN = 100  # fewer road users prove little


@dataclass(frozen=True)
class Tally:
    """Passages, and from when to when they were counted (None: not known)."""

    passages: list[Seen]
    begin_s: float | None = None
    end_s: float | None = None


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("truth", type=Path, metavar=_("TALLY"), help=_("CSV file of the page of tallypost truth"))
    add(
        "counts", type=Path, metavar=_("COUNTS"),
        help=_("file of tallypost replay --json, or another tally"),
    )  # fmt: skip
    add(
        "--window", type=float, default=WINDOW_S, metavar="S",
        help=_("a count matches within so many seconds (1.5)"),
    )  # fmt: skip
    add(
        "--offset", type=float, metavar="S",
        help=_("seconds to add to the times of the counts (default: the best fit)"),
    )  # fmt: skip
    add("--out", type=Path, metavar=_("FILE"), help=_("write the report as a page"))
    add("--json", action="store_true", help=_("print one JSON object"))


def run(args: argparse.Namespace) -> int:
    """Compare, show, and write the page. Raises ToolError."""
    truth, counts = read(args.truth), read(args.counts)
    if not truth.passages or not counts.passages:
        empty = args.counts if truth.passages else args.truth
        raise ToolError(
            _("{path}: there is no passage").format(path=empty),
            _("Count for at least an hour, then run the same command again."),
        )
    found = compared(truth, counts, args.window, args.offset)
    if args.out:
        args.out.write_text(compare_page.page(found), encoding="utf-8")
    if args.json:
        console.result_json(found)
    else:
        show(found)
    return 0


def compared(
    truth: Tally, counts: Tally, window_s: float, offset_s: float | None = None
) -> dict[str, Any]:
    """The comparison as one object."""
    if offset_s is None:
        offset_s = offset(truth.passages, counts.passages, window_s)
    counted = _within(moved(counts.passages, offset_s), truth, window_s)
    match = paired(truth.passages, counted, window_s)
    rows = [_row(direction, cls, match) for direction in DIRECTIONS for cls in (*CLASSES, "all")]
    return {
        "window_s": window_s,
        "offset_s": offset_s,
        "by_chance": round(by_chance(truth.passages, counted, window_s), 4),
        "rows": [row for row in rows if row["passed"] or row["counted"]],
        "missed": [_shown(one) for one in sorted(match.missed, key=lambda one: one.s)],
        "phantoms": [_shown(one) for one in sorted(match.phantoms, key=lambda one: one.s)],
    }


def _within(counted: list[Seen], truth: Tally, window_s: float) -> list[Seen]:
    """Counts between START and STOP. One window more on both sides could still match."""
    begin_s = truth.begin_s if truth.begin_s is not None else truth.passages[0].s
    end_s = truth.end_s if truth.end_s is not None else truth.passages[-1].s
    return [one for one in counted if begin_s - window_s <= one.s <= end_s + window_s]


def _row(direction: str, cls: str, match: Pairing) -> dict[str, Any]:
    """Truth by its class, phantoms by the class of the count."""

    def fits(one: Seen) -> bool:
        return one.direction == direction and cls in (one.cls, "all")

    matched = [pair for pair in match.pairs if fits(pair[0])]
    missed, phantoms = (sum(map(fits, many)) for many in (match.missed, match.phantoms))
    passed, counted = len(matched) + missed, len(matched) + phantoms
    return {
        "direction": direction,
        "class": cls,
        "passed": passed,
        "counted": counted,
        "matched": len(matched),
        "missed": missed,
        "phantoms": phantoms,
        "class_right": sum(true.cls == count.cls for true, count in matched),
        "recall": round(len(matched) / passed, 4) if passed else None,
        "precision": round(len(matched) / counted, 4) if counted else None,
        "geh": round(geh(passed, counted), 2),
    }


def geh(passed: float, counted: float) -> float:
    """Of two flows, 0 if both are 0. It is meant for flows of an hour."""
    both = passed + counted
    return math.sqrt(2 * (passed - counted) ** 2 / both) if both else 0.0


def _shown(one: Seen) -> dict[str, str]:
    utc = datetime.fromtimestamp(one.s, UTC).isoformat(timespec="milliseconds")
    return {"utc": utc.replace("+00:00", "Z"), "direction": one.direction, "class": one.cls}


def show(found: dict[str, Any]) -> None:
    columns = (
        _("direction"), _("class"), f">{_('passed')}", f">{_('counted')}", f">{_('missed')}",
        f">{_('phantoms')}", f">{_('recall')}", f">{_('precision')}",
    )  # fmt: skip
    table = [
        (
            _(row["direction"]), _(row["class"]), str(row["passed"]), str(row["counted"]),
            str(row["missed"]), str(row["phantoms"]), _share(row["recall"]),
            _share(row["precision"]),
        )
        for row in found["rows"]
    ]  # fmt: skip
    title = _("within {s} s, clocks moved by {offset} s, by chance {chance} would match")
    console.table(
        title.format(
            s=decimal(found["window_s"], 1), offset=decimal(found["offset_s"], 2),
            chance=_share(found["by_chance"]),
        ),
        columns, table,
    )  # fmt: skip
    if sum(row["passed"] for row in found["rows"] if row["class"] == "all") < PAIRS_MIN:
        console.note(_("fewer than {n} road users prove little").format(n=PAIRS_MIN))


def _share(value: float | None) -> str:
    return "-" if value is None else _("{n}%").format(n=decimal(100 * value, 1))


def read(path: Path) -> Tally:
    """A tally, or the result of a replay. Raises ToolError naming the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(
            _("{path}: the file cannot be read: {reason}").format(path=path, reason=error),
            _("Check the name."),
        ) from error
    return _replayed(path, text) if text.lstrip().startswith("{") else _tallied(path, text)


def _replayed(path: Path, text: str) -> Tally:
    try:
        data = json.loads(text)
        started_s = _seconds(data["started"])
        return Tally(
            [Seen(started_s + one["s"], one["direction"], one["class"])
             for one in data["passages"]]
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            _("{path}: this is not the result of a replay with its start").format(path=path),
            _("Record with this version, then run: tallypost replay --json"),
        ) from error


def _tallied(path: Path, text: str) -> Tally:
    limits: dict[str, float] = {}
    passages: list[Seen] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.startswith("#"):
                name, colon, value = line[1:].partition(":")
                if colon and name.strip() in ("started", "stopped"):
                    limits[name.strip()] = _seconds(value.strip())
            elif line.strip() and not line.startswith("utc,"):
                utc, direction, cls = line.strip().split(",")
                if direction not in DIRECTIONS or cls not in CLASSES:
                    raise ValueError(line)
                passages.append(Seen(_seconds(utc), direction, cls))
        except ValueError as error:
            raise ToolError(
                _("{path}:{number}: this line cannot be used: {line}").format(
                    path=path, number=number, line=console.printable(line)
                ),
                _("Wanted: utc,direction,class"),
            ) from error
    return Tally(passages, limits.get("started"), limits.get("stopped"))


def _seconds(utc: str) -> float:
    """Raises ValueError."""
    moment = datetime.fromisoformat(utc.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(utc)
    return moment.timestamp()
