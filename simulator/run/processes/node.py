"""Runs one planned node from its flash file to the end, and returns the evidence."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.run.backends.authority import authority_of, has_tls
from simulator.run.backends.backend import backend_for
from simulator.run.backends.backend_log import BackendContents, BackendLog, Body
from simulator.run.backends.lorawan import lora_keys
from simulator.run.backends.mqtt import mac_key
from simulator.run.checkers import decode
from simulator.run.plans.plan import NodePlan
from simulator.run.plans.sensors import SENSORS, Site
from simulator.run.processes.observer import NodeObserver, Passage
from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from simulator.world.lorawan.ether import Ether
from simulator.world.sensors.recording import RecordedDetector
from simulator.world.spec import WINDOW_US, Detector, NodeSpec, StorageFaults
from simulator.world.streets.street import Street
from tallypost.building import build
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision

PROGRESS_PERIOD_S = 0.2
LIVE_WINDOW_US = 200_000
_WIFI_LOGIN: dict[str, Any] = {"wifi_ssid": "street", "wifi_pass": "of-the-simulator"}


@dataclass
class Evidence:
    """Everything that a run saw of one node, for the checkers. Times in microseconds since the
    start.
    """

    plan: NodePlan
    observer: NodeObserver
    truth: list[Passage]
    ring: bytes
    end_us: int
    backend: BackendContents
    order: list[int]  # numbers in the order of their first arrival
    confirmed: int
    flash_violations: list[str]
    heap_free_min: int
    memory: dict[str, int | None]
    requests: int
    frames: int
    health: dict[str, Any] = field(default_factory=dict)  # the last report
    commands: dict[str, int] = field(default_factory=dict)  # of people, and what became of them
    erases: int = 0  # of sectors of the flash

    @property
    def restarts(self) -> int:
        """Restarts that a change of the configuration explains: its own, and the one back."""
        given_up = sum("the last good one is back" in text for text in self.observer.written)
        return len(self.plan.changes) + given_up

    @property
    def delivered(self) -> dict[int, Body]:
        """The backend's intervals, by number."""
        return self.backend.delivered


@dataclass(frozen=True)
class ImageLayout:
    """A board's image and its log: offset and size of the ring partition."""

    image: Path
    ring: tuple[int, int]


def prepare(plans: Iterable[NodePlan]) -> dict[str, ImageLayout]:
    """Build everything that a run needs, by board. Raises ToolError."""
    compile_shims()
    return {board: _layout(board) for board in {plan.board for plan in plans}}


def _layout(board: str) -> ImageLayout:
    ring = boards.load(board).partition("ring")
    return ImageLayout(build.build(board).flash, (ring.offset, ring.size))


def run_node(
    plan: NodePlan, layout: ImageLayout, folder: Path, show: Callable[[dict[str, int]], None]
) -> Evidence:
    """Run the plan, and go on until everything is confirmed, for at most half an hour more."""
    with NodeRun(plan, layout, folder) as run:
        run.drive(show)
        return run.evidence()


def _provisioned(plan: NodePlan, layout: ImageLayout, folder: Path) -> Path:
    """The node's flash."""
    flash = folder / f"{plan.name}.bin"
    shutil.copyfile(layout.image, flash)
    secret = random.Random(f"{plan.seed}/secret").randbytes(12).hex()
    keys = lora_keys(plan) if plan.link != "mqtt" else None
    authorities = authority_of(plan, folder).trusted() if has_tls(plan) else [b""]
    identity = Identity(
        plan.name, plan.config, mqtt_pass=secret, lora=keys, mqtt_ca=authorities[0],
        mac_key=mac_key(plan), **_WIFI_LOGIN,
    )  # fmt: skip
    provision(flash, identity)
    return flash


class NodeRun:
    """A node and everything around it. ether: the air that it shares with others.

    As a context it switches everything off in the end.
    """

    def __init__(
        self, plan: NodePlan, layout: ImageLayout, folder: Path, ether: Ether | None = None
    ) -> None:
        self.plan = plan
        self._layout = layout
        self._flash = flash = _provisioned(plan, layout, folder)
        self._ether = ether
        self._street, self._detector = _street(plan)
        self._trace = open(plan.trace, "wb") if plan.trace else None
        self._observer = NodeObserver(layout.ring, self._trace)
        self._backend = backend = backend_for(plan, folder, ether)
        self._node = Node(
            _spec(plan, layout, flash), backend.network, backend.with_modem(self._detector),
            self._observer,
        )  # fmt: skip
        if plan.nvs_dead or plan.ring_dead:
            backend.log.is_counted = self._is_of_flash
        self._is_on = True
        self._contents: BackendContents | None = None
        backend.start(self._node)

    def __enter__(self) -> NodeRun:
        return self

    def __exit__(self, *_: object) -> None:
        self._switch_off()
        self._finish()

    def _switch_off(self) -> None:
        if self._is_on:
            self._is_on = False
            self._node.stop()

    def _finish(self) -> BackendContents:
        if self._contents is None:
            self._contents = self._backend.finish()
            if self._trace:
                self._trace.close()
        return self._contents

    def drive(self, show: Callable[[dict[str, int]], None]) -> None:
        """Run until everything is confirmed, and switch the node off."""
        plan, node = self.plan, self._node
        progress = _progress(plan, self._street, self._observer, self._backend.log, show)
        progress = _paced(progress) if plan.live else progress
        progress = self._told(progress) if self._ether else progress
        node.run(plan.end_us, progress)
        self._drain(progress)
        progress(node.now_us)
        self._switch_off()

    def _told(self, progress: Callable[[int], None]) -> Callable[[int], None]:
        """Tell the others on the air how far this node is."""

        def told(t_us: int) -> None:
            progress(t_us)
            assert self._ether
            self._ether.advance(self.plan.name, t_us)

        return told

    def _drain(self, progress: Callable[[int], None]) -> None:
        """The faults are over. Every closed interval must now be delivered and confirmed."""
        node, closed, backend = self._node, self._observer.closed, self._backend
        backend.end_faults()
        until_us = node.now_us + backend.drain.timeout_us
        due = max(closed, default=0)
        node.run(node.now_us + backend.drain.shift_us, progress)
        while node.now_us < until_us:
            node.run(node.now_us + backend.drain.step_us, progress)
            if self._ether:
                self._ether.meet(self.plan.name, node.now_us)
            if backend.drain.confirms_at_once:
                due = max(closed, default=0)
            is_confirmed = not backend.drain.awaits_confirmation or self._confirmed() >= due
            if set(closed) <= backend.log.numbers and is_confirmed:
                return

    def _log(self) -> str:
        """The id of the log in flash."""
        return f"{decode.log_id(_ring(self._flash, self._layout)):08x}"

    def _is_of_flash(self, log: str) -> bool:
        """Whether a log is the one in flash, not one in the node's memory."""
        return log == self._log()

    def _confirmed(self) -> int:
        return decode.confirmed(_ring(self._flash, self._layout), self.plan.link)

    def evidence(self) -> Evidence:
        """Everything that was seen. Call it when the run is over."""
        node, log = self._node, self._backend.log
        contents = self._finish()
        if self.plan.ring_dead or self.plan.nvs_dead:
            contents.delivered = contents.logs.get(self._log(), {})
        return Evidence(
            plan=self.plan,
            observer=self._observer,
            truth=[Passage(u.t_us, u.direction, u.cls, u.speed_kmh) for u in self._street.users],
            ring=_ring(self._flash, self._layout),
            end_us=node.now_us,
            backend=contents,
            order=log.order,
            confirmed=self._confirmed(),
            flash_violations=node.flash.violations,
            heap_free_min=log.heap_free_min,
            memory=node.memory.figures(),
            health=log.health,
            commands=self._backend.commands(self._observer.written),
            erases=sum(node.flash.erases.values()),
            requests=node.requests,
            frames=getattr(self._detector, "frames", 0),
        )


def _spec(plan: NodePlan, layout: ImageLayout, flash: Path) -> NodeSpec:
    board = boards.load(plan.board)
    # Both links do not fit the heaps of a classic chip: the node gets the memory of PSRAM.
    psram = board.psram_mb > 0 or plan.link == "both"
    return NodeSpec(
        plan.name, flash, plan.start_utc, plan.seed,
        chip=board.chip, psram=psram, rot=(*layout.ring, plan.rot),
        power_cuts=list(plan.power_cuts), power_off=plan.power_off,
        rtc_steps=plan.rtc_steps, drift_ppb=plan.drift_ppb,
        window_us=LIVE_WINDOW_US if plan.live else WINDOW_US,
        storage_faults=StorageFaults(plan.nvs_dead, plan.ring_dead, layout.ring),
    )  # fmt: skip


def _street(plan: NodePlan) -> tuple[Street, Detector]:
    rng = random.Random(f"{plan.seed}/street")
    sensor_rng = random.Random(f"{plan.seed}/sensor")
    amount = plan.passages, plan.hours, plan.headway_s
    sensor = SENSORS[plan.detector]
    street = Street(
        rng, sensor.mix, *amount, single_file=sensor.single_file, traffic=plan.traffic,
        lanes=plan.mount.lanes,
    )  # fmt: skip
    site = Site(street, plan.mount, boards.load(plan.board))
    model = sensor.model(site, sensor_rng, plan.faults)
    return street, RecordedDetector(plan.recording, model) if plan.recording else model


def _progress(
    plan: NodePlan,
    street: Street,
    observer: NodeObserver,
    log: BackendLog,
    show: Callable[[dict[str, int]], None],
) -> Callable[[int], None]:
    """Report the node's progress a few times a second."""
    last = time.monotonic()
    times = [user.t_us for user in street.users]
    passed = 0

    def progress(t_us: int) -> None:
        nonlocal last, passed
        now = time.monotonic()
        if now - last < PROGRESS_PERIOD_S and t_us < plan.end_us:
            return
        last = now
        while passed < len(times) and times[passed] <= t_us:
            passed += 1
        show(
            {
                "t_us": t_us,
                "passed": passed,
                "counted": len(observer.passages),
                "closed": len(observer.closed),
                "delivered": len(log.order),
                "boots": observer.boots,
            }
        )

    return progress


def _paced(progress: Callable[[int], None]) -> Callable[[int], None]:
    """Hold the node back until real time is as far as its own."""
    began = time.monotonic()

    def paced(t_us: int) -> None:
        progress(t_us)
        time.sleep(max(0.0, began + t_us / 1e6 - time.monotonic()))

    return paced


def _ring(flash: Path, layout: ImageLayout) -> bytes:
    with open(flash, "rb") as file:
        file.seek(layout.ring[0])
        return file.read(layout.ring[1])
