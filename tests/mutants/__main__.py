"""`make mutants N= SEED= ONLY= JSON=`: changes one line of device code at a time, runs the tests
that reach it, lists the changes that no test finds.

Exit status: 0 if at least 90 % are found, 1 if fewer are, 2 for wrong usage."""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.mutants.changes import Change, changes
from tests.mutants.coverage import Coverage
from tests.mutants.explained import Explained
from tests.mutants.judges import Judge
from tests.mutants.source import Module, device_modules
from tests.mutants.verdict import Court, Verdict

BOUND = 0.90
SHOWN_MAX = 8  # tests that were left out


def draw(offered: list[Change], count: int, seed: int) -> list[Change]:
    """Lines are drawn, then one of the changes of each: a table of numbers weighs no more than a
    condition. In the order of the text."""
    lines: dict[tuple[str, int], list[Change]] = {}
    for change in offered:
        lines.setdefault((change.path, change.line), []).append(change)
    rng = random.Random(seed)
    chosen = rng.sample(sorted(lines), min(count, len(lines)))
    return [rng.choice(lines[place]) for place in sorted(chosen)]


def selected(offered: list[Change], only: str) -> list[Change]:
    """Every change of a file, a folder, or a line (`path:line`)."""
    path, _, line = only.partition(":")
    return [
        change
        for change in offered
        if f"{change.path}/".startswith(f"{path.rstrip('/')}/")
        and (not line or change.line == int(line))
    ]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    add = top.add_argument
    add("--n", type=int, help="changes to draw (40, with --only all)")
    add("--seed", type=int, default=1, help="decides which (1)")
    add("--only", metavar="PATH[:LINE]", help="changes of this file, folder or line alone")
    add("--json", type=Path, metavar="FILE", help="write the result")
    return top


class Screen:
    """The line of progress on stderr. A file gets a line every ten seconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = -10.0
        self._judged = self._survived = 0

    def tell(self, text: str, is_last: bool = False) -> None:
        now = time.monotonic() - self._began
        is_terminal = sys.stderr.isatty()
        if is_terminal or is_last or now >= self._said + 10.0:
            self._said = now
            end = "\r" if is_terminal and not is_last else "\n"
            sys.stderr.write(f"{now:4.0f} s: {text:<70}{end}")
            sys.stderr.flush()

    def judged(self, verdict: Verdict, total: int) -> None:
        self._judged += 1
        self._survived += verdict.found_by is None
        self.tell(
            f"{self._judged} of {total} judged, {self._survived} survived", self._judged == total
        )


def as_json(verdict: Verdict, module: Module, reason: str | None) -> dict[str, Any]:
    was, becomes = verdict.change.lines(module)
    return {
        "file": verdict.change.path, "line": verdict.change.line, "kind": verdict.change.kind,
        "was": was, "becomes": becomes, "reached_by": verdict.reached_by,
        "found_by": verdict.found_by, "explained": reason,
    }  # fmt: skip


def shown(found: dict[str, Any]) -> str:
    """A survivor as text: place, how many tests reach it, difference, and any explanation."""
    count = found["reached_by"]
    reached = f"{count} tests reach it" if count else "no test reaches it"
    lines = [f"{found['file']}:{found['line']}: {found['kind']}; {reached}"]
    lines += [f"  - {line}" for line in found["was"]]
    lines += [f"  + {line}" for line in found["becomes"]]
    if found["explained"]:
        lines.append(f"  explained: {found['explained']}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    modules = device_modules()
    screen = Screen()
    coverage = Coverage(modules, screen.tell)
    court = Court(modules, coverage.of_tests())
    offered = [one for module in modules for one in changes(module) if court.is_judged(one)]
    drawn = selected(offered, args.only) if args.only else offered
    if args.n or not args.only:
        drawn = draw(drawn, args.n or 40, args.seed)
    if not drawn:
        sys.stderr.write(f"make mutants: nothing to change in {args.only or 'the tree'}\n")
        return 2
    verdicts = court.verdicts(drawn, lambda verdict: screen.judged(verdict, len(drawn)))
    left_out(coverage.broken + court.broken)
    return report(verdicts, modules, args)


def left_out(broken: list[Judge]) -> None:
    """Say which tests have judged nothing, because they fail without any change."""
    for judge in broken[:SHOWN_MAX]:
        sys.stderr.write(f"left out, it fails without any change: {judge.title}\n")
    if len(broken) > SHOWN_MAX:
        sys.stderr.write(f"and {len(broken) - SHOWN_MAX} more: make test shows them\n")


def report(verdicts: list[Verdict], modules: list[Module], args: argparse.Namespace) -> int:
    by_path = {module.path: module for module in modules}
    explained = Explained.load()
    results = []
    for verdict in verdicts:
        module = by_path[verdict.change.path]
        results.append(as_json(verdict, module, explained.reason(verdict.change, module)))
    survivors = [found for found in results if found["found_by"] is None]
    share = 1 - len(survivors) / len(results)
    for found in survivors:
        print(shown(found))
    counts = f"{len(results)} changes, {len(survivors)} survived"
    print(f"{counts}, {share:.1%} found (at least {BOUND:.0%})")
    if args.json:
        summary = {"changes": len(results), "found": share, "bound": BOUND, "seed": args.seed}
        args.json.write_text(json.dumps({**summary, "results": results}, indent=1) + "\n")
    return 0 if share >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
