"""The plan of a run. One seed and a scenario decide everything. It is drawn first, then shown."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from pathlib import Path

from simulator.run.plans import scenario as scenarios
from simulator.run.plans.rules import ScenarioError
from simulator.run.plans.scenario import Scenario
from simulator.run.plans.sensors import SENSORS
from simulator.world.lorawan.plan import RadioFaults
from simulator.world.network.access_network import NetworkFaults, Span
from simulator.world.operators import Change
from simulator.world.protocol import Input
from simulator.world.streets.mount import KIND_MOUNT, Mount
from simulator.world.streets.traffic import Traffic
from tallypost.faults import ToolError
from tallypost.hardware import boards

START_UTC = 1_780_272_000  # 2026-06-01T00:00:00Z, a Monday
ROOT_TOPIC = "tallypost/v1"
BOARDS = {  # by link
    "mqtt": "esp32_generic", "lorawan": "lilygo_t3_v1_6_1", "both": "lilygo_t3_v1_6_1",
}  # fmt: skip
NODE_KINDS = {  # of nodes: detector, link
    "radar": ("ld2451", "mqtt"),
    "ld2450": ("ld2450", "mqtt"),
    "ops243": ("ops243", "mqtt"),
    "doppler": ("doppler", "mqtt"),
    "beam": ("beam", "mqtt"),
    "beam-single": ("beam_single", "mqtt"),
    "pir-pair": ("pir_pair", "mqtt"),
    "vl53l1x": ("vl53l1x", "mqtt"),
    "lora-radar": ("ld2451", "lorawan"),
    "lora-beam": ("beam", "lorawan"),
    "both-radar": ("ld2451", "both"),
    "both-beam": ("beam", "both"),
}
_NODE_GROUPS = {
    "mqtt": ("radar", "beam"), "lorawan": ("lora-radar", "lora-beam"),
    "both": ("both-radar", "both-beam"),
}  # fmt: skip
NODES_MAX = 1000
LIVE_PORT = 1883
HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class BrokerAddress:
    """A real broker to relay to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def node_kinds(nodes: str) -> list[tuple[str, str, bool]]:
    """Kind and board of each node, and whether it is one of a number: "3" in turn,
    "radar,lorawan", "lorawan:20", or "beam@esp32c3_rak3172" for another board than the usual one.
    Raises ScenarioError."""
    if nodes.isdecimal() and len(nodes) < 5 and 1 <= int(nodes) <= NODES_MAX:
        nodes = ",".join(_NODE_GROUPS["mqtt"][i % 2] for i in range(int(nodes)))
    found = [one for text in nodes.split(",") for one in _item(text)]
    if not 1 <= len(found) <= NODES_MAX or any(kind not in NODE_KINDS for kind, *_ in found):
        raise ScenarioError(
            f"nodes '{nodes}', wanted a number within 1 .. {NODES_MAX}, or some of"
            f" {', '.join([*_NODE_GROUPS, *NODE_KINDS])}, each with :NUMBER and @BOARD if you like"
        )
    return [
        (kind, _board_for(kind, board) if board else BOARDS[NODE_KINDS[kind][1]], numbered)
        for kind, board, numbered in found
    ]


def _item(text: str) -> list[tuple[str, str, bool]]:
    """As `node_kinds`, of KIND[:NUMBER][@BOARD]."""
    name, _, board = text.partition("@")
    name, colon, number = name.partition(":")
    kinds = _NODE_GROUPS.get(name, (name,))
    if not colon:
        return [(kind, board, False) for kind in kinds]
    count = int(number) if number.isdecimal() and len(number) < 5 else 0
    return [(kinds[i % len(kinds)], board, True) for i in range(count)] or [(text, board, True)]


def _board_for(kind: str, name: str) -> str:
    """The board, if it can have such a node. Raises ScenarioError."""
    try:
        features = boards.load(name).features
    except ToolError as error:
        raise ScenarioError(str(error)) from error
    detector, link = NODE_KINDS[kind]
    if detector not in features.detectors or (link == "lorawan" and not features.lorawan):
        raise ScenarioError(
            f"{kind}@{name}: the board has no {detector}"
            if detector not in features.detectors
            else f"{kind}@{name}: the board has no LoRaWAN"
        )
    return name


@dataclass(frozen=True)
class RunOptions:
    """The options of the command line."""

    hours: float = 24.0
    seed: int = 1
    nodes: str = "2"  # as `node_kinds` reads it
    scenario: str = "moderate"
    broker: BrokerAddress | None = None
    live: bool = False
    port: int = LIVE_PORT
    trace: Path | None = None

    def command(self) -> str:
        """The command that repeats the run."""
        hours = repr(self.hours).removesuffix(".0")  # exact, or it is another run
        words = ["make sim", f"HOURS={hours}", f"SEED={self.seed}", f"NODES={self.nodes}"]
        words.append(f"SCENARIO={self.scenario}")
        if self.broker:
            words.append(f"BROKER={self.broker.host}:{self.broker.port}")
        if self.live:
            words.append("LIVE=1")
        if self.port != LIVE_PORT:
            words.append(f"PORT={self.port}")
        return " ".join(words)


@dataclass(frozen=True)
class NodePlan:
    """Everything about one node. Times are in microseconds since the start."""

    name: str
    detector: str
    seed: int
    hours: float
    passages: int
    headway_s: float
    faults: dict[str, float]
    network_faults: NetworkFaults
    power_cuts: list[int]
    backend_away: list[Span]
    drift_ppb: int
    rtc_steps: list[tuple[int, int]] = field(default_factory=list)  # (when, seconds)
    rot: int = 0  # bits of the log that flip at each power cut
    link: str = "mqtt"
    board: str = BOARDS["mqtt"]
    radio_faults: RadioFaults = field(default_factory=RadioFaults)
    shares_air: bool = False  # with the other nodes that do
    start_utc: int = START_UTC
    root: str = ROOT_TOPIC
    broker: BrokerAddress | None = None
    live: bool = False
    trace: Path | None = None
    config: dict[str, object] = field(default_factory=dict)
    commands: int = 0  # of people, at random moments
    changes: list[Change] = field(default_factory=list)  # of its configuration, at the console
    power_off: list[Span] = field(default_factory=list)  # (when, how long), beside the cuts
    nvs_dead: list[Span] = field(default_factory=list)  # NVS takes no writes
    ring_dead: list[Span] = field(default_factory=list)  # nor does the log
    traffic: Traffic = field(default_factory=Traffic)
    mount: Mount = KIND_MOUNT
    recording: list[Input] = field(default_factory=list)  # replaces the street
    # Of the one `tallypost listen` that serves all nodes at `broker`: its lines, and its database.
    lines: Path | None = None
    database: Path | None = None

    @property
    def end_us(self) -> int:
        return int(self.hours * HOUR_US)

    def summary(self) -> str:
        """The plan in one line."""
        parts = [
            f"{self.name}: {self.detector}", f"{self.passages} passages",
            f"headway {self.headway_s:g} s", f"crystal {self.drift_ppb / 1000:+.1f} ppm",
        ]  # fmt: skip
        network_faults = self.network_faults
        for title, spans in (
            ("Wi-Fi down", network_faults.wifi_down), ("broker away", network_faults.broker_away),
            ("NTP away", network_faults.ntp_away), ("backend away", self.backend_away),
            ("DNS dead", network_faults.dns_dead), ("half open", network_faults.half_open),
            ("refused", network_faults.refused), ("late PUBACK", network_faults.puback_late),
            ("gateway away", self.radio_faults.gateway_away),
            ("NVS dead", self.nvs_dead), ("log dead", self.ring_dead),
        ):  # fmt: skip
            if spans:
                hours = sum(end - start for start, end in spans) / HOUR_US
                parts.append(f"{title} {len(spans)} x, {hours:.1f} h")
        if self.link != "mqtt":
            parts.append(f"LoRaWAN, {self.radio_faults.loss:.0%} of frames lost")
        for title, steps in (("NTP", network_faults.ntp_offset_s), ("RTC", self.rtc_steps)):
            if steps:
                parts.append(f"{title} steps by {', '.join(f'{s:+d} s' for _, s in steps)}")
        if self.power_cuts:
            rot = f", {self.rot} bits of the log turn over at each" if self.rot else ""
            parts.append(f"{len(self.power_cuts)} power cuts{rot}")
        if self.commands:
            parts.append(f"{self.commands} commands")
        parts += [f"{name} {share:g}" for name, share in sorted(self.faults.items())]
        return ", ".join(parts)


def draw(options: RunOptions, root: str = ROOT_TOPIC) -> list[NodePlan]:
    """The nodes of a run. Raises ScenarioError."""
    scenario = scenarios.load(options.scenario)
    return [
        replace(
            _node(options, scenario, f"{kind}-{number}", root),
            board=board,
            shares_air=numbered and NODE_KINDS[kind][1] == "lorawan" and _has_radio(board),
        )  # fmt: skip
        for number, (kind, board, numbered) in enumerate(node_kinds(options.nodes), 1)
    ]


def _has_radio(board: str) -> bool:
    """Whether it has a transceiver. A modem has a world of its own."""
    return bool(boards.load(board).radio)


def _node(options: RunOptions, scenario: Scenario, name: str, root: str) -> NodePlan:
    detector, link = NODE_KINDS[name.rpartition("-")[0]]
    sensor = SENSORS[detector]
    if link != "mqtt" and (options.broker or options.live):
        raise ScenarioError(f"{name}: BROKER= and LIVE=1 are for nodes with MQTT alone")
    rng = random.Random(f"{options.seed}/{name}")
    hours = options.hours
    scale = scenarios.scale(scenario, hours)
    if options.broker:
        root = f"{root}/{name}"  # every node has its own backend there
    return NodePlan(
        name=name,
        detector=detector,
        seed=rng.getrandbits(32),
        hours=hours,
        passages=round(scenario.passages * hours / 24),
        headway_s=float(scenario.headway_s[sensor.place]),
        faults=scenario.faults.get(sensor.faults, {}),
        network_faults=scenarios.network_faults(scenario, hours, rng),
        power_cuts=scenarios.power_cuts(scenario, hours, rng),
        rot=scenario.power.get("rot", 0),
        backend_away=scenarios.spans(scenario.backend_away, scale),
        rtc_steps=scenarios.steps(scenario.power.get("rtc_steps", []), scale),
        drift_ppb=rng.randrange(-20_000, 20_000),
        link=link,
        radio_faults=scenarios.radio_faults(scenario, hours),
        root=root,
        broker=options.broker,
        live=options.live,
        traffic=scenarios.traffic(scenario),
        mount=scenarios.mount(scenario),
        trace=options.trace and options.trace.with_name(f"{options.trace.name}.{name}"),
        commands=round(scenario.commands * scale),
        changes=scenarios.changes(scenario, scale),
        nvs_dead=scenarios.spans(scenario.storage.get("nvs_dead", []), scale),
        ring_dead=scenarios.spans(scenario.storage.get("ring_dead", []), scale),
        config=_config(options, scenario, detector, link=link, root=root),
    )


def _config(
    options: RunOptions, scenario: Scenario, detector: str, *, link: str, root: str
) -> dict[str, object]:
    """The node's configuration."""
    line_m = round(scenarios.mount(scenario).line_m)
    return {
        "detector": detector,
        "link": link,
        "mqtt_host": "broker",
        "mqtt_root": root,
        # In real time a quarter of an hour is too long to watch.
        "interval_min": 1 if options.live else scenario.interval_min,
        **({"radar_line_m": line_m} if detector == "ld2451" else {}),
        **scenario.config,
    }
