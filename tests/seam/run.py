"""One run of the checks on a board behind a port.

The board is left as it was found. NVS has a namespace of its own, there is one file, and the last
sector of the scratch partition, all restored. At the end the board is reset. A check that the
board did not reach is a failure, so a board that hangs or talks nonsense never passes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tallypost.faults import ToolError
from tests.seam import body
from tests.seam.port import PAUSE_S, BoardError, Port
from tests.seam.wiring import Wiring

PASS, FAIL, SKIP = "pass", "fail", "skip"
_STATES = (PASS, FAIL, SKIP)
WATCHDOG_S = 5.0  # until the watchdog has bitten and the board is there again
_SYSTEM_PARTITIONS = ("nvs", "vfs", "phy_init", "otadata")  # partitions that are no scratch
_PROBE = """
import json, os, sys
from esp32 import NVS, Partition
counting = False
try:
    counting = "main.py" in os.listdir("/") and NVS("tallypost").get_blob("id", bytearray(64)) > 0
except OSError:
    pass
print("@board " + json.dumps({
    "version": sys.implementation.version[:3],
    "machine": getattr(sys.implementation, "_machine", ""),
    "counting": counting,
    "partitions": [p.info()[4] for p in Partition.find(Partition.TYPE_DATA)],
}))
"""
_CAUSE = "import machine; print('@cause', machine.reset_cause())"
_PUT_AWAY = """
import machine, os, time
from esp32 import NVS
try:
    os.remove("/tpconform.kept")
except OSError:
    pass
nvs = NVS("tpconform")
for key in ("clock", "kind"):
    try:
        nvs.erase_key(key)
    except OSError:
        pass
nvs.commit()
print("@away")
time.sleep_ms(200)
machine.reset()
"""


@dataclass
class Board:
    """The board's description of itself."""

    version: tuple[int, ...]
    machine: str
    counting: bool
    partitions: list[str]


@dataclass(frozen=True)
class Result:
    """text: the seen value, or the reason of a failure or a skip."""

    state: str
    text: str = ""


@dataclass
class Run:
    """port: of the board. scratch: the partition that may be written to, None for none.

    peer: (port, closed port) of the peer at `wiring.network.host`. tell: progress, a line each.
    """

    port: Port
    wiring: Wiring
    scratch: str | None = None
    peer: tuple[int, int] | None = None
    tell: Callable[[str], None] = lambda _text: None
    results: dict[str, Result] = field(default_factory=dict)
    _current: str = ""

    def all(self) -> Board:
        """Run everything. Raises ToolError when the board does not answer at all."""
        board = self._probe()
        self._check_scratch(board)
        params = self._params(board)
        if self._areas(params):
            for kind in body.KINDS:
                self._reset(kind, params | {"kind": kind})
            self._break(params)
            self._clean_up()
        gone = Result(FAIL, "not reached: the board does not answer any more")
        self.results = {name: self.results.get(name, gone) for name in body.names()}
        return board

    # --- before

    def _probe(self) -> Board:
        hint = "is it the right port, with MicroPython on it, and is no other program using it?"
        try:
            lines = list(self.port.run([_PROBE]))
        except BoardError as error:
            raise ToolError(f"{self.port.url}: {error}", hint) from error
        for line in lines:
            if line.startswith("@board "):
                return _board(line.removeprefix("@board "), f"{self.port.url}: ")
        said = lines[-1] if lines else "nothing"
        raise ToolError(f"{self.port.url}: no answer to the first question, but: {said}", hint)

    def _check_scratch(self, board: Board) -> None:
        if self.scratch is None:
            return
        what = f"--scratch {self.scratch}"
        if self.scratch not in board.partitions:
            known = ", ".join(board.partitions)
            raise ToolError(f"{what}: no such data partition", f"It has: {known}")
        if self.scratch in _SYSTEM_PARTITIONS:
            raise ToolError(f"{what}: that one is the board's own", "`ring`, or a spare one")

    def _params(self, board: Board) -> dict[str, Any]:
        params = self.wiring.params() | {
            "scratch": self.scratch, "version": tuple(board.version), "machine": board.machine,
            "counting": board.counting, "net": None,
        }  # fmt: skip
        network = self.wiring.network
        if network and self.peer:
            params["net"] = {
                "ssid": network.ssid, "key": network.password, "host": network.host,
                "port": self.peer[0], "closed": self.peer[1],
            }  # fmt: skip
        return params

    # --- the areas

    def _areas(self, params: dict[str, Any]) -> bool:
        """All in one connection. Where that breaks, another one for the rest, as long as it
        helps."""
        left = list(body.AREAS)
        while left:
            why = self._read_results(
                self.port.run([body.script(area, params) for area in left]), left
            )
            if not left:
                break
            area = left.pop(0)
            self._missing(area, area, why)
            if not self._is_there():
                return False
        return True

    def _is_there(self) -> bool:
        try:
            return any(line.startswith("@board") for line in self.port.run([_PROBE]))
        except BoardError:
            return False

    def _read_results(self, lines: Iterable[str], left: list[str]) -> str:
        """Note the results in the lines. Finished areas leave `left`. Return why the lines
        ended."""
        try:
            for line in lines:
                kind, _, rest = line.partition(" ")
                if kind == "@end" and left and rest.strip() == left[0]:
                    left.pop(0)
                else:
                    self._record(kind.removeprefix("@"), rest)
        except BoardError as error:
            return str(error)
        return "the script did not come to its end"

    def _record(self, kind: str, rest: str) -> None:
        name, _, text = rest.partition(" ")
        if kind == "begin":
            self._current = name
            self.tell(name)
        elif kind in _STATES and name == self._current:
            self.results[name] = Result(kind, text.strip())
            self._current = ""

    def _missing(self, filed: str, area: str, why: str) -> None:
        """Missing results of an area fail. The interrupted check gets the reason."""
        for check in body.checks(area):
            name = f"{filed}.{check.name}"
            if name not in self.results:
                text = why if name == self._current else f"not reached: {why}"
                self.results[name] = Result(FAIL, text)
        self._current = ""

    # --- in two steps

    def _reset(self, kind: str, params: dict[str, Any]) -> None:
        """Ask for the cause in the interpreter that the reset has started: firmware that it runs
        leaves no heap for more. The other checks run in a fresh interpreter."""
        pause_s = WATCHDOG_S if kind == "watchdog" else PAUSE_S

        def look() -> Iterator[str]:
            cause = _cause(self.port.settled(_CAUSE, pause_s))
            yield from self.port.run(
                [body.script(body.AFTER_RESET, params | {"cause": cause}, kind)]
            )

        self._two_steps(
            (kind, body.AFTER_RESET), body.action("restarts/before_reset", params), look
        )

    def _break(self, params: dict[str, Any]) -> None:
        script = body.script(body.AFTER_BREAK, params, "break")
        first = body.action("restarts/before_break", params)
        names = "break", body.AFTER_BREAK
        self._two_steps(names, first, lambda: self.port.settled(script, PAUSE_S))

    def _two_steps(
        self, names: tuple[str, str], first: str, look: Callable[[], Iterable[str]]
    ) -> None:
        """names: of the results, and the area."""
        filed, area = names
        left = [filed]
        try:
            list(self.port.start(first))
            why = self._read_results(look(), left)
        except BoardError as error:
            why = str(error)
        if left:
            self._missing(filed, area, why)

    def _clean_up(self) -> None:
        """Remove everything of this run and restart the board."""
        try:
            list(self.port.start(_PUT_AWAY))
        except BoardError as error:
            self.tell(f"could not be reset: {error}")


def _board(text: str, where: str) -> Board:
    try:
        said = json.loads(text)
        return Board(
            tuple(said["version"]), said["machine"], said["counting"], list(said["partitions"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(f"{where}it talks nonsense: {text[:60]}", "reset it, try again") from error


def _cause(lines: Iterable[str]) -> int | None:
    """The board's cause of its last reset. None if it gave none."""
    for line in lines:
        word, _, number = line.partition(" ")
        if word == "@cause" and number.isdigit():
            return int(number)
    return None


def failures(results: dict[str, Result]) -> list[str]:
    return [name for name, result in results.items() if result.state == FAIL]
