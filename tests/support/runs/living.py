"""Lives a scenario's plan in this process, and the same plan without its trouble."""

from __future__ import annotations

from pathlib import Path

from simulator.run.checkers import records
from simulator.run.results.scoring import score
from simulator.run.processes.node import Seen, prepare, run_node
from simulator.run.plans.plan import NodePlan, Request, draw
from simulator.run.plans.scenario import load
from simulator.run.plans.fault_schedule import calm

RADAR, BEAM = 0, 1


def planned(scenario: str, node: int, *, hours: float = 0.0, seed: int = 3) -> NodePlan:
    """The plan of one node; without `hours` for as long as the scenario says."""
    hours = hours or load(scenario).hours
    return draw(Request(hours=hours, seed=seed, scenario=scenario))[node]


def live(plan: NodePlan, folder: Path) -> Seen:
    return run_node(plan, prepare([plan])[plan.board], folder, lambda _state: None)


def unharmed(seen: Seen, folder: Path) -> Seen:
    """Nothing was lost or doubled, all came in order, and what was counted is what is counted
    without the trouble; returns that calm life."""
    assert records.violations(seen) == []
    assert records.lost(seen) == records.duplicated(seen) == []
    assert seen.order == sorted(seen.watcher.closed)
    quiet = live(calm(seen.plan), folder)
    assert _by_direction(seen) == _by_direction(quiet)
    lived, unstirred = (score(s.truth, s.watcher.passages) for s in (seen, quiet))
    assert (lived.truth, lived.recall) == (unstirred.truth, unstirred.recall)
    return quiet


def _by_direction(seen: Seen) -> dict[str, int]:
    """Without the classes: a sector of the log is erased at another moment, and an edge that a
    light barrier sees meanwhile is noted up to 80 ms late, which may cost the speed."""
    return {way: sum(classes.values()) for way, classes in records.counted(seen).items()}
