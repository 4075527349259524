"""Runs the judges of a change, the cheapest first, until one finds it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.changes import Change
from tests.mutants.coverage import WORKERS, Reach
from tests.mutants.judges import DEVICE, HOST, Judge, Tree, limit_s, timed, whole_runs
from tests.mutants.marking import Names
from tests.mutants.source import Module

HOST_BUDGET_S = 60.0  # what all tests on the host together may take for one change


@dataclass(frozen=True)
class Verdict:
    """found_by: title of the test that has found the change, None for a survivor. reached_by: how
    many tests reach it, whole runs not among them."""

    change: Change
    found_by: str | None
    reached_by: int


class Court:
    """modules: the device code as it is. reached: the reach of every test. make_tree: makes the
    copy of the repository in which a change is tried."""

    def __init__(
        self, modules: list[Module], reached: list[Reach],
        make_tree: Callable[[Path], Tree] = Tree,
    ) -> None:  # fmt: skip
        self._modules = {module.path: module for module in modules}
        self._names = Names(modules)
        self._reached = reached
        self._make_tree = make_tree
        self._usual_s: dict[Judge, float | None] = {}  # of whole runs
        self._lock = threading.Lock()
        self.broken: list[Judge] = []  # whole runs that fail without any change

    def judges_of(self, change: Change) -> list[Reach]:
        """The tests that reach a change: those of its own folder first, then the fastest."""
        places = self._names.places(change)
        found = [reach for reach in self._reached if reach.hits(places)]
        own = f"tests/{Path(change.path).parent.as_posix()}/"
        return sorted(
            found,
            key=lambda one: (not one.judge.where.startswith(own), one.seconds, one.judge.title),
        )

    def is_judged(self, change: Change) -> bool:
        """False for a change without effect, such as a constant that only an assertion uses."""
        return bool(self._names.places(change))

    def verdicts(self, drawn: list[Change], tell: Callable[[Verdict], None]) -> list[Verdict]:
        """In the order of `drawn`. tell: is told each as it is known."""
        with tempfile.TemporaryDirectory(prefix="tallypost-mutants-") as name:
            trees: SimpleQueue[Tree] = SimpleQueue()
            for number in range(WORKERS):
                trees.put(self._make_tree(Path(name) / str(number)))

            def judge(change: Change) -> Verdict:
                tree = trees.get()
                try:
                    verdict = self._judge(tree, change)
                finally:
                    trees.put(tree)
                tell(verdict)
                return verdict

            with ThreadPoolExecutor(WORKERS) as pool:
                return list(pool.map(judge, drawn))

    def _judge(self, tree: Tree, change: Change) -> Verdict:
        reached = self.judges_of(change)
        attempts = [self._by_devices, self._by_hosts, self._by_runs]
        if not change.path.startswith("lib/"):  # a whole run is faster than the tests on the host
            attempts[1:] = [self._by_runs, self._by_hosts]
        for attempt in attempts:
            if found_by := attempt(tree, change, reached):
                return Verdict(change, found_by, len(reached))
        return Verdict(change, None, len(reached))

    @contextmanager
    def _changed(self, tree: Tree, change: Change) -> Iterator[None]:
        module = self._modules[change.path]
        tree.write(module, change.applied(module))
        try:
            yield
        finally:
            tree.write(module, module.text)

    def _by_devices(self, tree: Tree, change: Change, reached: list[Reach]) -> str | None:
        with self._changed(tree, change):
            for reach in reached:
                if reach.judge.kind != DEVICE:
                    continue
                if not tree.passes(reach.judge, limit_s(reach.seconds)):
                    return reach.judge.title
        return None

    def _by_hosts(self, tree: Tree, change: Change, reached: list[Reach]) -> str | None:
        """As many tests on the host as the budget allows, in one process."""
        chosen: list[Judge] = []
        seconds = 0.0
        for reach in reached:
            if reach.judge.kind == HOST and seconds + reach.seconds <= HOST_BUDGET_S:
                chosen.append(reach.judge)
                seconds += reach.seconds
        if not chosen:
            return None
        with self._changed(tree, change):
            if tree.passes_all(chosen, limit_s(seconds)):
                return None
        return chosen[0].title if len(chosen) == 1 else f"{chosen[0].title} or one like it"

    def _by_runs(self, tree: Tree, change: Change, _reached: list[Reach]) -> str | None:
        for judge in whole_runs(change.path):
            usual_s = self._usual(tree, judge)
            if usual_s is None:
                continue
            with self._changed(tree, change):
                if not tree.passes(judge, limit_s(usual_s)):
                    return judge.title
        return None

    def _usual(self, tree: Tree, judge: Judge) -> float | None:
        """Seconds of a whole run without any change, None if it fails."""
        with self._lock:
            if judge not in self._usual_s:
                passed, seconds = timed(tree, judge)
                self._usual_s[judge] = seconds if passed else None
                self.broken += [] if passed else [judge]
            return self._usual_s[judge]
