"""Runs a scenario's plan in this process, and the same plan without faults."""

from __future__ import annotations

from pathlib import Path

from simulator.run.checkers import records
from simulator.run.plans.fault_schedule import fault_free_plan
from simulator.run.plans.plan import NodePlan, RunOptions, draw
from simulator.run.plans.scenario import load
from simulator.run.processes.node import Evidence, prepare, run_node
from simulator.run.results.scoring import score

RADAR, BEAM = 0, 1


def planned(scenario: str, node: int, *, hours: float = 0.0, seed: int = 3) -> NodePlan:
    """The plan of one node. Without `hours` it is as long as the scenario."""
    hours = hours or load(scenario).hours
    return draw(RunOptions(hours=hours, seed=seed, scenario=scenario))[node]


def live(plan: NodePlan, folder: Path) -> Evidence:
    return run_node(plan, prepare([plan])[plan.board], folder, lambda _state: None)


def unharmed(evidence: Evidence, folder: Path) -> Evidence:
    """Nothing was lost or duplicated, all came in order, and the counts are those without faults.
    Returns the run without faults."""
    assert records.violations(evidence) == []
    assert records.lost(evidence) == records.duplicated(evidence) == []
    assert evidence.order == sorted(evidence.observer.closed)
    quiet = live(fault_free_plan(evidence.plan), folder)
    assert _by_direction(evidence) == _by_direction(quiet)
    faulty, fault_free = (score(s.truth, s.observer.passages) for s in (evidence, quiet))
    assert (faulty.truth, faulty.recall) == (fault_free.truth, fault_free.recall)
    return quiet


def _by_direction(evidence: Evidence) -> dict[str, int]:
    """Without the classes. A sector of the log is erased at another moment, and an edge that a
    light barrier sees meanwhile is noted up to 80 ms late, which may cost the speed."""
    return {
        direction: sum(classes.values())
        for direction, classes in records.counted(evidence).items()
    }
