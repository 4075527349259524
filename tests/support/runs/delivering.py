"""A node's delivery and `tallypost listen`, two processes that meet at a mosquitto."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

from tests.support.runs.running import ROOT

NODE = ROOT / "tests" / "sim" / "device" / "deliver.py"
SEARCH = ("lib", "firmware", "tests/fakes", ".build/third_party")
TIMEOUT_S = 300  # a bound for what hangs, not for what is slow
ROOM_FOR_ONE = 1024  # room for one interval
ROOM_FOR_SEVERAL = 8192


class Node:
    """tests/sim/device/deliver.py, controlled over its standard input."""

    def __init__(
        self, port: int, *, user: str = "", room: int = ROOM_FOR_SEVERAL, pid: int = 0,
        identity: Path | None = None,
    ) -> None:  # fmt: skip
        env = {
            **os.environ,
            "MICROPYPATH": ":".join([*(str(ROOT / p) for p in SEARCH), ".frozen"]),
        }
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "micropython"), "-X", "heapsize=16m", str(NODE),
             str(port), user, str(room), str(pid), *([str(identity)] if identity else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=ROOT, text=True,
        )  # fmt: skip

    def close(self, count: int) -> None:
        """Let it close that many intervals."""
        self._order(f"close {count}")

    def state(self) -> dict[str, Any]:
        return self._order("state")

    def _order(self, line: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        bound = Timer(TIMEOUT_S, self._process.kill)
        bound.daemon = True
        bound.start()
        printed = []
        while not (answer := self._process.stdout.readline()).startswith("{"):
            printed.append(answer)
            assert answer, f"the node has ended: {printed}"
        bound.cancel()
        return dict(json.loads(answer))

    def waits_until(self, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until its state is such. Return it."""
        until = time.monotonic() + TIMEOUT_S
        while not reached(state := self.state()):
            assert time.monotonic() < until, state
            time.sleep(0.05)
        return state

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Backend:
    """`tallypost listen` with one database, however often it is started."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.db = folder / "counts.sqlite"
        self._news = folder / "news"
        self._said = folder / "said"
        self._command = [
            sys.executable, "-m", "tallypost", "listen", "--host", "127.0.0.1", "--json",
            "--port", str(port), "--db", str(self.db), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until the broker has its subscription."""
        self._said.write_text("")
        with self._news.open("ab") as news, self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=news, stderr=said)
        until = time.monotonic() + TIMEOUT_S
        while "listening to" not in (said := self._said.read_text()):
            assert time.monotonic() < until and self._process.poll() is None, said
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(TIMEOUT_S) == 0, "it ends in order, and says so"
            self._process = None

    def rows(self, query: str) -> list[Any]:
        with sqlite3.connect(self.db) as db:
            return db.execute(query).fetchall()

    def held(self) -> int:
        return int(self.rows("SELECT count(*) FROM records")[0][0])

    def announced(self) -> list[int]:
        """Numbers of the announced intervals, in that order."""
        lines = [json.loads(line) for line in self._news.read_text().splitlines()]
        return [line["seq"] for line in lines if line["what"] == "interval"]


def cars(seq: int) -> dict[str, int]:
    """Cars of an interval by direction, as `close` lets the node count them."""
    return {"forward": 0 if seq % 2 else seq % 7, "backward": seq % 7 if seq % 2 else 0}


def confirmed_whole(node: Node, backend: Backend, closed: int) -> dict[str, Any]:
    """Wait until all is confirmed: every closed interval is held, once, as it was counted."""
    state = node.waits_until(lambda state: state["confirmed"] == closed)
    rows = backend.rows("SELECT seq, kind, body FROM records WHERE log IS NOT NULL ORDER BY seq")
    assert [row[0] for row in rows] == list(range(1, closed + 1))
    for seq, kind, body in rows:
        counts = json.loads(body)["counts"]
        assert kind == "interval"
        assert {direction: counts[direction]["car"] for direction in counts} == cars(seq), seq
    assert backend.rows("SELECT node, log, confirmed FROM logs") == [("n1", state["log"], closed)]
    for table in ("gone", "doubts", "quarantine"):
        assert backend.rows(f"SELECT * FROM {table}") == [], table
    assert sorted(backend.announced()) == list(range(1, closed + 1))
    return state
