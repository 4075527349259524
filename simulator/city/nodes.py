"""The simulated nodes of a city, from its file `nodes.toml`.

[[node]]
id = "beam-1"            as in the periods of the sites
kind = "beam"            as `make sim NODES=` names them
scenario = "city_path"   a file of simulator/scenarios
begin = 0                hours after midnight at which it is switched on
hours = 24               that it runs
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.run.backends.mqtt import mac_key
from simulator.run.plans import plan as plans
from simulator.run.plans.plan import BrokerAddress, NodePlan, RunOptions
from simulator.run.plans.rules import ScenarioError

HOUR_S = 3600
LIVE_HOURS = 2160.0
LIVE_INTERVAL_MIN = 1  # a quarter of an hour is too long to watch
_KEYS = {"id", "kind", "scenario", "begin", "hours"}


@dataclass(frozen=True)
class CityNode:
    """begin, hours: of the day that is simulated."""

    id: str
    kind: str
    scenario: str
    begin: float
    hours: float


def read(path: Path) -> list[CityNode]:
    """The nodes of a file. Raises ScenarioError."""
    found = []
    for table in tomllib.loads(path.read_text(encoding="utf-8"))["node"]:
        if set(table) != _KEYS:
            raise ScenarioError(f"{path}: a node has {sorted(table)}, wanted {sorted(_KEYS)}")
        found.append(CityNode(**table))
    return found


@dataclass(frozen=True)
class Street:
    """What all nodes of a run share. lines: the file that `tallypost listen` prints to."""

    broker: BrokerAddress
    lines: Path
    database: Path
    seed: int


def day_plan(node: CityNode, street: Street, midnight: int, hours: float) -> NodePlan | None:
    """A node on a day that begins at `midnight` and is simulated for `hours`. None if it is not
    on in these hours."""
    end = min(node.begin + node.hours, hours)
    if end <= node.begin:
        return None
    plan = _plan(node, street, end - node.begin)
    return replace(plan, start_utc=midnight + round(node.begin * HOUR_S))


def live_plan(node: CityNode, street: Street, now: int) -> NodePlan:
    """A node in real time, with intervals of a minute."""
    plan = _plan(node, street, LIVE_HOURS)
    config = plan.config | {"interval_min": LIVE_INTERVAL_MIN}
    return replace(plan, start_utc=now, live=True, config=config)


def mac_keys(city: Iterable[CityNode], street: Street) -> dict[str, str]:
    """By node the key that it signs its records with, in hexadecimal digits."""
    return {node.id: mac_key(_plan(node, street, LIVE_HOURS)).hex() for node in city}


def _plan(node: CityNode, street: Street, hours: float) -> NodePlan:
    options = RunOptions(hours, street.seed, node.kind, node.scenario)
    [plan] = plans.draw(options)
    rng_seed = hash_of(f"{street.seed}/{node.id}")
    return replace(
        plan, name=node.id, seed=rng_seed, broker=street.broker, lines=street.lines,
        database=street.database,
    )  # fmt: skip


def hash_of(text: str) -> int:
    """A seed of 32 bits from a text, the same on every machine."""
    found = 2166136261  # FNV-1a
    for byte in text.encode():
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found
