"""The board of a run: its console, its way over the broker, and the lowest memory seen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from tallypost.connection.line import Line, connect, open_port
from tallypost.connection.transports import BrokerNode
from tallypost.faults import ToolError
from tests.chip.report import Figures

START_S = 90.0  # until a node answers after a reset
_PAUSE_S = 1.0

Body = dict[str, Any]


class Failed(Exception):
    """A step failed. figures: what was measured until then."""

    def __init__(self, text: str, figures: Figures | None = None) -> None:
        super().__init__(text)
        self.figures = figures or {}


class Skipped(Exception):
    """A step cannot be made. The text names the missing part."""


class Chip:
    """args: the options of the command. tell: progress, a line each."""

    def __init__(self, args: argparse.Namespace, tell: Callable[[str], None]) -> None:
        self.args = args
        self.tell = tell
        self.node = ""  # the id, empty on a board without an identity
        self.memory: dict[str, int] = {}  # lowest figure by name, bytes

    def console(self, timeout_s: float | None = None) -> Line:
        """The console, when the node answers. Raises ToolError."""
        return connect(self.args.port, self.args.baud, timeout_s)

    def silent_console(self) -> Line:
        """The console, whatever the node does. Raises ToolError."""
        return Line(open_port(self.args.port, self.args.baud), self.args.port)

    def started(self) -> Line:
        """The console after a reset or a power cut: the port itself may be away for a while."""
        until = time.monotonic() + START_S
        while True:
            try:
                return self.console()
            except ToolError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE_S)

    def broker(self, *suffixes: str) -> BrokerNode:
        """The node at the broker. Raises Skipped without HOST=, ToolError without a broker."""
        if not self.args.host:
            raise Skipped("no broker is named: HOST=")
        return BrokerNode(self.args, self.need_node(), suffixes)

    def need_node(self) -> str:
        if not self.node:
            raise Skipped(f"not provisioned: tallypost provision --port {self.args.port}")
        return self.node

    def note_memory(self, answer: Any) -> None:
        """Note the lowest figures of a `check` or a `status`."""
        if not isinstance(answer, dict):
            return
        names = ("heap_free_min", "idf_free_min", "idf_largest")
        found = {f"{name}_bytes": answer[name] for name in names if answer.get(name)}
        if isinstance(answer.get("heap"), list):
            found["heap_free_min_bytes"] = answer["heap"][1]
        if isinstance(answer.get("idf"), list) and any(answer["idf"]):
            _free, found["idf_largest_bytes"], found["idf_free_min_bytes"] = answer["idf"]
        for name, value in found.items():
            self.memory[name] = min(value, self.memory.get(name, value))
