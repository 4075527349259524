"""Runs one planned node from its flash file to the end, and hands over what was seen."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from simulator.run.checkers import decode
from simulator.run.backends.backend import City, city
from simulator.run.backends.backend_log import Body, Desk, Held
from simulator.run.backends.lorawan import lora_keys
from simulator.run.processes.observer import Passage, Watcher
from simulator.run.plans.plan import NodePlan
from simulator.run.plans.sensors import SENSORS
from simulator.world.spec import WINDOW_US, Detector, NodeSpec
from simulator.world.kernel import Node
from simulator.world.chip.shims import compile_shims
from simulator.world.sensors.recording import Recording
from simulator.world.streets.street import Street
from tallypost.building import build
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision

# Of 64-bit words, some 30 KB of them for the shims. Words of 32 bits take two thirds of that.
HEAPS = {"mqtt": "192k", "lorawan": "256k", "both": "304k"}
SHOW_S = 0.2
LIVE_WINDOW_US = 200_000
_PROVISIONED_AS: dict[str, Any] = {"wifi_ssid": "street", "wifi_pass": "of-the-simulator"}


@dataclass
class Seen:
    """What a run saw of one node, for the checkers. Times in microseconds since the start."""

    plan: NodePlan
    watcher: Watcher
    truth: list[Passage]
    ring: bytes
    end_us: int
    held: Held  # by the backend
    order: list[int]  # numbers in the order of their first arrival
    confirmed: int
    flash_violations: list[str]
    heap_free_min: int
    requests: int
    frames: int
    health: dict[str, Any] = field(default_factory=dict)  # the last report

    @property
    def delivered(self) -> dict[int, Body]:
        """What the backend holds, by number."""
        return self.held.delivered


@dataclass(frozen=True)
class Place:
    """Where a board's image is and its log: offset and size of the ring partition."""

    image: Path
    ring: tuple[int, int]


def prepare(plans: Iterable[NodePlan]) -> dict[str, Place]:
    """Build what a run needs, by board; raises ToolError."""
    compile_shims()
    return {board: _place(board) for board in {plan.board for plan in plans}}


def _place(board: str) -> Place:
    ring = boards.load(board).partition("ring")
    return Place(build.build(board).flash, (ring.offset, ring.size))


def run_node(
    plan: NodePlan, place: Place, folder: Path, show: Callable[[dict[str, int]], None]
) -> Seen:
    """Live through the plan and wait until everything is confirmed, or half an hour more."""
    flash = folder / f"{plan.name}.bin"
    shutil.copyfile(place.image, flash)
    secret = random.Random(f"{plan.seed}/secret").randbytes(12).hex()
    keys = lora_keys(plan) if plan.link != "mqtt" else None
    identity = Identity(plan.name, plan.config, mqtt_pass=secret, lora=keys, **_PROVISIONED_AS)
    provision(flash, identity)
    if plan.trace is None:
        return _run(plan, place, flash, show, None)
    with open(plan.trace, "wb") as trace:
        return _run(plan, place, flash, show, trace)


def _run(
    plan: NodePlan,
    place: Place,
    flash: Path,
    show: Callable[[dict[str, int]], None],
    trace: IO[bytes] | None,
) -> Seen:
    street, detector = _street(plan)
    watcher = Watcher(place.ring, trace)
    beyond = city(plan, flash.parent)
    desk = beyond.desk
    node = Node(_spec(plan, place, flash), beyond.network, beyond.beside(detector), watcher)
    beyond.start(node)
    progress = _progress(plan, street, watcher, desk, show)
    if plan.live:
        progress = _in_real_time(progress)
    try:
        node.run(plan.end_us, progress)
        _drain(node, watcher, beyond, progress, partial(_confirmed, plan, place, flash))
        progress(node.now_us)
    finally:
        node.stop()
        held = beyond.finish()
    return Seen(
        plan=plan,
        watcher=watcher,
        truth=[Passage(u.t_us, u.direction, u.cls, u.speed_kmh) for u in street.users],
        ring=_ring(flash, place),
        end_us=node.now_us,
        held=held,
        order=desk.order,
        confirmed=_confirmed(plan, place, flash),
        flash_violations=node.flash.violations,
        heap_free_min=desk.heap_free_min,
        health=desk.health,
        requests=node.requests,
        frames=getattr(detector, "frames", 0),
    )


def _spec(plan: NodePlan, place: Place, flash: Path) -> NodeSpec:
    return NodeSpec(
        plan.name, flash, plan.start_utc, plan.seed, heap=HEAPS[plan.link],
        chip=boards.load(plan.board).chip, rot=(*place.ring, plan.rot),
        power_cuts=list(plan.power_cuts), rtc_steps=plan.rtc_steps, drift_ppb=plan.drift_ppb,
        window_us=LIVE_WINDOW_US if plan.live else WINDOW_US,
    )  # fmt: skip


def _street(plan: NodePlan) -> tuple[Street, Detector]:
    rng = random.Random(f"{plan.seed}/street")
    sensor_rng = random.Random(f"{plan.seed}/sensor")
    amount = plan.passages, plan.hours, plan.headway_s
    sensor = SENSORS[plan.detector]
    street = Street(rng, sensor.mix, *amount, single_file=sensor.single_file, traffic=plan.traffic)
    model = sensor.model(street, sensor_rng, plan.faults, boards.load(plan.board))
    return street, Recording(plan.recording, model) if plan.recording else model


def _progress(
    plan: NodePlan,
    street: Street,
    watcher: Watcher,
    desk: Desk,
    show: Callable[[dict[str, int]], None],
) -> Callable[[int], None]:
    """Report a few times a second how far the node is."""
    last = time.monotonic()
    times = [user.t_us for user in street.users]
    passed = 0

    def progress(t_us: int) -> None:
        nonlocal last, passed
        now = time.monotonic()
        if now - last < SHOW_S and t_us < plan.end_us:
            return
        last = now
        while passed < len(times) and times[passed] <= t_us:
            passed += 1
        show(
            {
                "t_us": t_us,
                "passed": passed,
                "counted": len(watcher.passages),
                "closed": len(watcher.closed),
                "delivered": len(desk.order),
                "boots": watcher.boots,
            }
        )

    return progress


def _in_real_time(progress: Callable[[int], None]) -> Callable[[int], None]:
    """Hold the node back until the wall clock is as far as its own."""
    began = time.monotonic()

    def held_back(t_us: int) -> None:
        progress(t_us)
        time.sleep(max(0.0, began + t_us / 1e6 - time.monotonic()))

    return held_back


def _drain(
    node: Node,
    watcher: Watcher,
    beyond: City,
    progress: Callable[[int], None],
    confirmed: Callable[[], int],
) -> None:
    """The storm is over: everything that is closed must now be delivered and confirmed."""
    beyond.calm()
    drain = beyond.drain
    until_us = node.now_us + drain.most_us
    due = max(watcher.closed, default=0)
    while node.now_us < until_us:
        node.run(node.now_us + drain.step_us, progress)
        if drain.confirms_at_once:
            due = max(watcher.closed, default=0)
        if set(watcher.closed) <= beyond.desk.numbers and confirmed() >= due:
            return


def _confirmed(plan: NodePlan, place: Place, flash: Path) -> int:
    return decode.confirmed(_ring(flash, place), plan.link)


def _ring(flash: Path, place: Place) -> bytes:
    with open(flash, "rb") as file:
        file.seek(place.ring[0])
        return file.read(place.ring[1])
