"""Arrivals at the backend during a run, and its contents in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Transmission:
    """A frame that the node sent: begin and length (us), frequency."""

    begin_us: int
    length_us: int
    freq_hz: int


@dataclass(frozen=True)
class DrainRule:
    """How closed intervals are delivered after a run.

    step_us, timeout_us: how long the node runs on. shift_us: so much later it is looked at, not
    when an interval has just been closed. confirms_at_once: intervals closed meanwhile
    have to be confirmed, too. Otherwise only those of the run, and the backend confirms now and
    then. awaits_confirmation: otherwise the run ends when everything has arrived.
    """

    step_us: int
    timeout_us: int
    confirms_at_once: bool
    awaits_confirmation: bool = True
    shift_us: int = 0


DRAIN_AT_ONCE = DrainRule(60_000_000, 1_800_000_000, True)


@dataclass
class BackendContents:
    """delivered: intervals by number. One of LoRaWAN stands for `first` to `seq`. anomalies: rows
    in the backend's tables of faulty messages. faults: errors of the node's radio. air: what
    became of its frames, if it shares the air. logs: intervals by log and number, over MQTT.
    """

    delivered: dict[int, Body]
    anomalies: dict[str, int]
    faults: list[str] = field(default_factory=list)
    transmissions: list[Transmission] = field(default_factory=list)
    joins: int = 0
    air: Mapping[str, Any] | None = None
    logs: dict[str, dict[int, Body]] = field(default_factory=dict)


class BackendLog:
    """Logs arrivals at the backend. order: the records' numbers as they first arrived. numbers: of
    the intervals, those inside merged ones among them. is_counted: whether those of a log are.
    """

    def __init__(self) -> None:
        self.is_counted: Callable[[str], bool] = lambda _log: True
        self._counts = b""
        self.order: list[int] = []
        self.numbers: set[int] = set()
        self.heap_free_min = 0
        self.health: dict[str, Any] = {}  # the last report

    def on_publish(self, _t_us: int, topic: str, payload: bytes) -> None:
        """Called with everything that the node publishes over MQTT."""
        if topic.endswith("/counts"):
            self._counts = payload
        if topic.endswith("/health"):
            self.health = json.loads(payload)
            self.heap_free_min = int(self.health.get("heap_free_min", 0))

    def _is_counted(self) -> bool:
        """By the message that has just come. Over LoRaWAN there is none, and one log."""
        return not self._counts or self.is_counted(str(json.loads(self._counts)["log"]))

    def on_news(self, kind: str, _node: str, body: Body) -> None:
        """Called with everything that the backend has committed."""
        if kind == "interval" and self._is_counted():
            number = int(body["seq"])
            self.order.append(number)
            self.numbers.update(range(int(body.get("first", number)), number + 1))
        elif kind == "state" and (kb := body.get("heap_kb")):
            free = kb * 1024
            self.heap_free_min = min(self.heap_free_min or free, free)
