"""All nodes of a run, and its course: connect, close intervals, faults, until all is confirmed."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.load.nodes.figures import Figures
from simulator.load.nodes.hostile import Stranger
from simulator.load.nodes.node import Node

_STEP_S = 0.25
_SAID_S = 5.0
_OUTAGE_SHARE = 0.25


@dataclass(frozen=True)
class Course:
    """Times in seconds. ramp: all nodes are switched on within it. intervals: closed after that,
    one each `period`, each node at a time of its own within `spread`. outage: how long the
    network of all nodes is away once a quarter of the records is confirmed. limit: of the run.
    """

    ramp_s: float = 0.0
    intervals: int = 0
    period_s: float = 10.0
    spread_s: float = 0.0
    outage_s: float = 0.0
    kills: int = 0
    limit_s: float = 600.0


@dataclass
class Faults:
    """What a run may do to the far side, if it is its own."""

    cut: Callable[[], None] = lambda: None
    mend: Callable[[], None] = lambda: None
    kill: Callable[[], None] = lambda: None


@dataclass
class Fleet:
    nodes: list[Node]
    strangers: list[Stranger]
    course: Course
    figures: Figures
    faults: Faults = field(default_factory=Faults)
    seed: int = 1

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self.total = self.planned() + self.course.intervals * len(self.nodes)  # in the end

    async def run(self) -> bool:
        """Run the course. True if every record is confirmed."""
        tasks = [asyncio.create_task(self._begin(node)) for node in self.nodes]
        tasks += [asyncio.create_task(stranger.run()) for stranger in self.strangers]
        faults = asyncio.create_task(self._all_faults())
        try:
            async with asyncio.timeout(self.course.limit_s):
                async with asyncio.TaskGroup() as group:
                    progress = group.create_task(self._progress())
                    await self._close_intervals()
                    await self._until_confirmed(self.total)
                    await faults
                    progress.cancel()
            return True
        except TimeoutError:
            return False
        finally:
            for task in [faults, *tasks]:
                task.cancel()
            await asyncio.gather(faults, *tasks, return_exceptions=True)

    async def _begin(self, node: Node) -> None:
        await asyncio.sleep(self._rng.random() * self.course.ramp_s)
        await node.run()

    async def _close_intervals(self) -> None:
        if not self.course.intervals:
            return
        await self._until_connected()
        loop = asyncio.get_running_loop()
        for _ in range(self.course.intervals):
            for node in self.nodes:
                loop.call_later(self._rng.random() * self.course.spread_s, node.close_interval)
            await asyncio.sleep(self.course.period_s)
        await asyncio.sleep(max(0.0, self.course.spread_s - self.course.period_s))

    async def _until_connected(self) -> None:
        await self._until(lambda: all(node.is_up for node in self.nodes))

    async def _until_confirmed(self, records: float) -> None:
        await self._until(lambda: self.confirmed() >= records)

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            await asyncio.sleep(_STEP_S)

    # --- faults

    async def _all_faults(self) -> None:
        """The outage at a quarter of the records, the kills evenly over all of them."""
        course = self.course
        shares = [(i + 1) / (course.kills + 1) for i in range(course.kills)]
        steps = [(share, self._kill) for share in shares]
        if course.outage_s:
            steps.append((_OUTAGE_SHARE, self._outage))
        for share, step in sorted(steps, key=lambda one: one[0]):
            await self._until_confirmed(share * self.total)
            await step()

    async def _kill(self) -> None:
        await asyncio.to_thread(self.faults.kill)

    async def _outage(self) -> None:
        await asyncio.to_thread(self.faults.cut)
        for node in self.nodes:
            node.has_network = False
            node.cut("outage")
        await asyncio.sleep(self.course.outage_s)
        await asyncio.to_thread(self.faults.mend)
        for node in self.nodes:
            node.has_network = True
        await self._until_connected()

    # --- state

    def planned(self) -> int:
        """Records that are closed."""
        return sum(node.outbox.closed for node in self.nodes)

    def confirmed(self) -> int:
        return sum(node.outbox.confirmed for node in self.nodes)

    async def _progress(self) -> None:
        """A line every few seconds."""
        while True:
            up = sum(node.is_up for node in self.nodes)
            figures = self.figures
            text = (
                f"{figures.now():6.0f} s  {up} of {len(self.nodes)} connected, "
                f"{figures.records_sent} records sent, {self.confirmed()} confirmed, "
                f"{figures.repeats} repeated"
            )
            sys.stderr.write(text + "\n")
            await asyncio.sleep(_SAID_S)
