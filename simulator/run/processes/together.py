"""Runs the nodes that share one air: one process, a thread for each node."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from simulator.run.backends.lorawan import network_server
from simulator.run.plans.plan import NodePlan
from simulator.run.processes.node import Evidence, ImageLayout, NodeRun
from simulator.world.lorawan.ether import Ether, EtherFailed

Show = Callable[[str, dict[str, int]], None]


def groups(plans: list[NodePlan]) -> list[list[NodePlan]]:
    """The nodes that run together. One alone has its own air."""
    sharing = [plan for plan in plans if plan.shares_air]
    if len(sharing) < 2:
        return [[plan] for plan in plans]
    return [sharing, *([plan] for plan in plans if not plan.shares_air)]


def run_together(
    plans: list[NodePlan], layouts: dict[str, ImageLayout], folder: Path, show: Show
) -> list[Evidence]:
    """Run the plans. Raises what a node raised."""
    _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))  # a node has six open
    first = plans[0]
    ether = Ether(
        [plan.name for plan in plans], network_server(first), first.radio_faults,
        first.seed, first.end_us,
    )  # fmt: skip
    errors: list[BaseException] = []
    lock = threading.Lock()  # of `show`

    def drive(run: NodeRun) -> None:
        def shown(state: dict[str, int]) -> None:
            with lock:
                show(run.plan.name, state)

        try:
            run.drive(shown)
            ether.leave(run.plan.name)
        except EtherFailed:
            return
        except BaseException as error:
            errors.append(error)
            ether.fail()

    with ExitStack() as stack:
        runs = [
            stack.enter_context(NodeRun(plan, layouts[plan.board], folder, ether))
            for plan in plans
        ]
        threads = [threading.Thread(target=drive, args=(run,), daemon=True) for run in runs]
        for thread in threads:
            thread.start()
        ether.run()
        if errors:
            raise errors[0]
        for thread in threads:
            thread.join()
        return [run.evidence() for run in runs]
