"""Which tests reach which statements of the device code, kept in .build/mutants/reached.json.

A test is run again only if its own text or a module that it has run has changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.mutants.judges import (
    DEVICE, HOST, MARKED, ON_NODES, Judge, Tree, device_tests, timed,
)  # fmt: skip
from tests.mutants.marking import Marking
from tests.mutants.source import Module
from tests.tidy.source import ROOT, files

CACHE = ROOT / ".build" / "mutants" / "reached.json"
PLUGIN = "tests.mutants.marks_plugin"
WORKERS = 2
_FOR_DEVICE = ("tests/fakes/*.py", "tests/runner.py", "tests/conftest.py")
# Without the simulator: a change of it hardly ever changes which statements of a node are run.
_FOR_HOST = ("tests/conftest.py", "tests/conformance", *MARKED, *ON_NODES)


@dataclass(frozen=True)
class Reach:
    """The lines of each file that a test has run, with digests of these files and of the test."""

    judge: Judge
    seconds: float
    lines: dict[str, set[int]]
    digests: dict[str, str]
    own: str
    passed: bool = True

    def hits(self, places: Iterable[tuple[str, int]]) -> bool:
        return any(line in self.lines.get(path, ()) for path, line in places)

    def is_current(self, marking: Marking, own: str) -> bool:
        known = marking.modules
        return self.own == own and all(
            path in known and marking.digest(path) == digest
            for path, digest in self.digests.items()
        )

    def as_json(self) -> dict[str, Any]:
        lines = {path: sorted(numbers) for path, numbers in self.lines.items()}
        return {**vars(self), "judge": vars(self.judge), "lines": lines}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Reach:
        lines = {path: set(numbers) for path, numbers in data["lines"].items()}
        return cls(**{**data, "judge": Judge(**data["judge"]), "lines": lines})


class Coverage:
    """modules: the device code as it is. tell: is told how far the work is.

    broken: tests that fail although nothing was changed. They judge nothing.
    """

    def __init__(self, modules: list[Module], tell: Callable[[str], None]) -> None:
        self._marking = Marking(modules)
        self._tell = tell
        self._known = _load()
        self.broken: list[Judge] = []

    def of_tests(self) -> list[Reach]:
        """The reach of every test. A test runs now if its reach is unknown or stale."""
        wanted = device_tests()
        own = {judge: _own_digest(judge) for judge in wanted}
        host = {judge for judge in self._known if judge.kind == HOST}
        host_own = _digest(*_FOR_HOST)
        stale = [judge for judge in wanted if not self._is_current(judge, own[judge])]
        stale_host = [judge for judge in host if not self._is_current(judge, host_own)]
        if stale or stale_host or not host:
            everything = not host or any(self._known[j].own != host_own for j in stale_host)
            self._measure(stale, own, None if everything else stale_host)
            _store(self._known.values())
        return [
            reach for judge, reach in self._known.items() if judge.kind == HOST or judge in own
        ]

    def _is_current(self, judge: Judge, own: str) -> bool:
        return judge in self._known and self._known[judge].is_current(self._marking, own)

    def _measure(
        self, device: list[Judge], own: dict[Judge, str], host: list[Judge] | None
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="tallypost-marked-") as name:
            folder = Path(name)
            marked, plain = Tree(folder / "marked", heaps=2), Tree(folder / "plain")
            for path, module in self._marking.modules.items():
                marked.write(module, self._marking.marked(path))
            recorder = ROOT / "tests" / "mutants" / "device" / "marks.py"
            shutil.copyfile(recorder, marked.root / "lib" / "marks.py")
            if host is None or host:
                self._tell("which tests on the host reach what, some minutes")
                self._run_host(marked, plain, host)
                _store(self._known.values())
            done = 0
            with ThreadPoolExecutor(WORKERS) as pool:
                for reach in pool.map(lambda one: self._run(marked, plain, one, own[one]), device):
                    done += 1
                    self._tell(f"which tests reach what: {done} of {len(device)}")
                    self._note(reach)
                    if done % 100 == 0:
                        _store(self._known.values())

    def _note(self, reach: Reach) -> None:
        if reach.passed:
            self._known[reach.judge] = reach
        else:
            self._known.pop(reach.judge, None)
            self.broken.append(reach.judge)

    def _run(self, marked: Tree, plain: Tree, judge: Judge, own: str) -> Reach:
        file = marked.root / f"{hashlib.sha256(judge.title.encode()).hexdigest()}.marks"
        count = str(len(self._marking.places))
        passed, seconds = timed(marked, judge, MARKS_FILE=str(file), MARKS_COUNT=count)
        if not passed:  # the markers may be in its way
            passed, seconds = timed(plain, judge)
        return replace(self._reach(judge, seconds, file, own), passed=passed)

    def _reach(self, judge: Judge, seconds: float, file: Path, own: str) -> Reach:
        lines = self._marking.read(file)
        file.unlink(missing_ok=True)
        digests = {path: self._marking.digest(path) for path in lines}
        return Reach(judge, round(seconds, 2), dict(lines), digests, own)

    def _run_host(self, marked: Tree, plain: Tree, judges: list[Judge] | None) -> None:
        """All tests on the host (None), or some of them. Forgets those that no longer exist."""
        if judges is None:
            self._known = {j: reach for j, reach in self._known.items() if j.kind != HOST}
        for tree, whole in ((marked, MARKED), (plain, tuple(ON_NODES))):
            words = list(whole)
            if judges is not None:
                words = [judge.which for judge in judges if judge.where.startswith(whole)]
            if words:
                self._run_pytest(tree, plain, words)

    def _run_pytest(self, tree: Tree, plain: Tree, words: list[str]) -> None:
        folder = tree.root / "host_marks"
        folder.mkdir()
        command, paths = tree.pytest("-n", str(WORKERS), "-p", PLUGIN, *words)
        command.remove("-x")
        own = _digest(*_FOR_HOST)
        settings = {"MARKS_FOLDER": str(folder), "MARKS_COUNT": str(len(self._marking.places))}
        subprocess.run(
            command, cwd=tree.root, env={**os.environ, **paths, **settings},
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        for report in sorted(folder.glob("*.json")):
            data = json.loads(report.read_text())
            judge = Judge(HOST, data["id"].partition("::")[0], data["id"])
            passed = data["outcome"] != "failed" or plain.passes(judge, 600.0)
            if data["outcome"] == "skipped":
                continue
            reach = self._reach(judge, data["seconds"], report.with_suffix(".marks"), own)
            if judge.where in ON_NODES:
                reach = replace(reach, **self._by_rule(ON_NODES[judge.where]))
            self._note(replace(reach, passed=passed))

    def _by_rule(self, prefixes: tuple[str, ...]) -> dict[str, Any]:
        """All lines of the modules below these paths."""
        lines: dict[str, set[int]] = {}
        for path, line in self._marking.places:
            if path.startswith(prefixes):
                lines.setdefault(path, set()).add(line)
        return {"lines": lines, "digests": {path: self._marking.digest(path) for path in lines}}


def _own_digest(judge: Judge) -> str:
    assert judge.kind == DEVICE
    return _digest(judge.where, *_FOR_DEVICE)


def _digest(*patterns: str) -> str:
    digest = hashlib.sha256()
    for path in files(*patterns):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _load() -> dict[Judge, Reach]:
    if not CACHE.exists():
        return {}
    found = [Reach.from_json(one) for one in json.loads(CACHE.read_text())]
    return {reach.judge: reach for reach in found}


def _store(known: Iterable[Reach]) -> None:
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(known, key=lambda reach: reach.judge.title)
    CACHE.write_text(json.dumps([reach.as_json() for reach in ordered]))
