"""One process for each node, or for the nodes that share one air, as many at a time as there are
cores. Results come in plan order.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from simulator.run.plans.plan import NodePlan
from simulator.run.processes.node import Evidence, ImageLayout, run_node
from simulator.run.processes.together import Show, groups, run_together
from simulator.run.results.report import NodeResult, node_result
from tallypost.faults import ToolError

OnProgress = Callable[[str, dict[str, int]], None]


OnDone = Callable[[str, NodeResult], None]


class NodeFailed(Exception):
    """The simulator itself failed, running `node`. The text is the traceback."""

    def __init__(self, node: str, text: str) -> None:
        super().__init__(text)
        self.node = node


def run_all(
    plans: list[NodePlan],
    layouts: dict[str, ImageLayout],
    folder: Path,
    show: OnProgress,
    done: OnDone = lambda _name, _result: None,
) -> list[NodeResult]:
    """Run every plan. Raises NodeFailed, or ToolError for errors that the user can mend."""
    context = multiprocessing.get_context("spawn")
    waiting = groups(plans)
    running: dict[Connection, str] = {}  # by the name of the first node
    results: dict[str, NodeResult] = {}
    children = []
    at_once = len(plans) if plans[0].live else os.cpu_count() or 1
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                group = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                child = context.Process(
                    target=_run_worker,
                    args=(group, layouts, folder, theirs),
                    daemon=True,
                )
                child.start()
                theirs.close()
                children.append(child)
                running[ours] = group[0].name
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                for result in _receive(pipe, running, show):
                    results[result["node"]] = result
                    done(result["node"], result)
    finally:
        for child in children:
            child.terminate()
            child.join()
    return [results[plan.name] for plan in plans]


def _receive(
    pipe: Connection, running: dict[Connection, str], show: OnProgress
) -> list[NodeResult]:
    """The results, if the process is done."""
    try:
        kind, value = pipe.recv()
    except EOFError:
        node = running[pipe]
        raise NodeFailed(node, f"the process of {node} ended without a result") from None
    if kind == "refused":
        raise ToolError(*value)
    if kind == "failed":
        raise NodeFailed(running[pipe], value)
    if kind == "shown":
        show(*value)
        return []
    running.pop(pipe)
    pipe.close()
    return list(value)


def _run_worker(
    plans: list[NodePlan], layouts: dict[str, ImageLayout], folder: Path, pipe: Connection
) -> None:
    """In the process of these nodes."""
    try:
        evidence = _run(plans, layouts, folder, lambda *state: pipe.send(("shown", state)))
        pipe.send(("done", [node_result(one) for one in evidence]))
    except KeyboardInterrupt:
        return
    except ToolError as error:
        pipe.send(("refused", (error.what, error.advice)))
    except BaseException:
        pipe.send(("failed", traceback.format_exc()))


def _run(
    plans: list[NodePlan], layouts: dict[str, ImageLayout], folder: Path, show: Show
) -> list[Evidence]:
    if len(plans) > 1:
        return run_together(plans, layouts, folder, show)
    [plan] = plans
    layout = layouts[plan.board]
    return [run_node(plan, layout, folder, lambda state: show(plan.name, state))]
