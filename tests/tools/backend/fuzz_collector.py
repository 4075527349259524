"""Hostile messages without end, against all that `tallypost listen` does with a message.

    python -m tests.tools.backend.fuzz_collector N=1000000 SEED=1

Each message starts as a good one of some topic, and is then changed in its values, its keys or its
bytes. The run ends with the first message that raises, is not acknowledged exactly once, or prints
a control character or a line in the name of another node. It prints the message and the seed.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from tests.support.nodes.reports import Body, counts, event, gone, interval
from tests.tools.backend.session import Session

from tallypost.backend import limits, messages

ROOT_TOPIC = "tallypost/v1"
NODES = ("n1", "n2", "gate-3", "x" * 32)
LOGS = ("0badcafe", "11112222", "00000000")
DIGITS = '"@digits@"'  # stands for a number that Python does not write
TEXTS = (
    "", "\x1b[2J", "\x1b]52;c;AAAA\x07", "\u202e", "\x9b", "a\nb", "\ud800", "\x00", "{0}", "%s",
    "{what}", "'; DROP TABLE records; --", "x" * 5000, "gone", "interval", "2026-99-99T00:00:00Z",
    "9999-12-31T23:59:59Z", "0badcafe\n", "@digits@", "\U0001f6b2", "online",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**70, 10**300, 1e308, -0.0, 0.5, 2.0,
    float("nan"), float("inf"), float("-inf"), True, False, 65_536, 900_000,
)  # fmt: skip
KEYS = (
    "what", "at", "node", "log", "seq", "start", "len", "cov", "kind", "event", "from", "to",
    "first", "topic", "reason", "dropped", "error", "id", "\x1b[31m", "", "x" * 300,
)  # fmt: skip
BYTES = (
    b"", b"\xff\xfe", b"[" * 60_000, b"{" * 200, b"9" * 5000, b"null", b"3", b'"x"', b"[]",
    b"x" * 70_000, b"\x00" * 10, b'{"a":' * 5000, b'{"v":1,"v":1}', b'{"x": NaN}',
)  # fmt: skip
SUFFIXES = (*messages.SUFFIXES, "counts", "event", "counts", "event")
TOPICS = (
    b"tallypost/v1/\xff/counts", "tallypost/v1//event", "tallypost/v1/N1/status", "x", "",
    "tallypost/v1/" + "n" * 60_000 + "/status", "tallypost/v1/\x1b[2J/event", "tallypost/v1/n1",
    "tallypost/v1/n1/ack", "tallypost/v1/n1/cmd", "tallypost/v1/\u202e/counts",
)  # fmt: skip


class Generator:
    """Makes messages from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def message(self) -> tuple[str | bytes, bytes]:
        """(topic, payload)"""
        rng = self.rng
        node, suffix = rng.choice(NODES), rng.choice(SUFFIXES)
        topic: str | bytes = f"{ROOT_TOPIC}/{node}/{suffix}"
        if rng.random() < 0.02:
            topic = rng.choice(TOPICS)
        if rng.random() < 0.05:
            return topic, rng.choice(BYTES)
        body = self._good(node, suffix)
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 5))):
            self._change(body)
        return topic, self._damaged(self._written(body))

    def _good(self, node: str, suffix: str) -> Body:
        rng = self.rng
        head = {"v": 1, "node": node}
        log = rng.choice(LOGS)
        seq = rng.choice((rng.randrange(1, 40), rng.randrange(1, 4_000_000)))
        if suffix == "counts":
            records = [interval(seq + i) for i in range(rng.choice((1, 1, 2, 5)))]
            return json.loads(counts(*records, log=log)) | head  # type: ignore[no-any-return]
        if suffix == "event" and rng.random() < 0.3:
            last = seq + rng.choice((0, 5, 2**31))
            return json.loads(gone(seq, last, log)) | head  # type: ignore[no-any-return]
        others = {
            "event": json.loads(event("start", log, seq=seq, boot=1, version="1")),
            "status": {"state": "online", "version": "1", "log": log},
            "health": {"boot": 1, "uptime": 9, "ring": {"erases": 1}, "link": {"connects": 1}},
            "config": {"hash": log, "config": {"interval_min": 15, "site": "a"}},
            "reply": {"id": seq, "ok": rng.random() < 0.5, "result": "pong", "error": "busy"},
        }
        return others[suffix] | head

    def _change(self, body: Body) -> None:
        """Change one place of a message, anywhere in it."""
        rng = self.rng
        place: Any = body
        while rng.random() < 0.6:
            inner = [
                value for value in _values(place) if isinstance(value, (dict, list)) and value
            ]
            if not inner:
                break
            place = rng.choice(inner)
        key: Any = rng.randrange(len(place)) if isinstance(place, list) else self._key(place)
        if rng.random() < 0.15 and isinstance(place, dict):
            place.pop(key, None)
        else:
            place[key] = self._value()

    def _key(self, place: Body) -> str:
        known = list(place)
        return self.rng.choice(known) if known and self.rng.random() < 0.7 else self._new_key()

    def _new_key(self) -> str:
        return self.rng.choice(KEYS)

    def _value(self) -> Any:
        rng = self.rng
        kind = rng.random()
        if kind < 0.35:
            return rng.choice(NUMBERS)
        if kind < 0.65:
            return rng.choice(TEXTS)
        if kind < 0.7:
            return None
        if kind < 0.8:
            return {rng.choice(KEYS): rng.choice(TEXTS) for _ in range(rng.randrange(4))}
        if kind < 0.9:
            return [rng.choice(NUMBERS) for _ in range(rng.choice((0, 1, 3, 200)))]
        nested: Any = 1
        for _ in range(rng.choice((5, 31, 200))):
            nested = [nested] if rng.random() < 0.5 else {"a": nested}
        return nested

    def _written(self, body: Body) -> bytes:
        text = json.dumps(body)
        return text.replace(DIGITS, "7" * 5000).encode()

    def _damaged(self, payload: bytes) -> bytes:
        rng = self.rng
        if rng.random() > 0.1 or not payload:
            return payload
        at, data = rng.randrange(len(payload)), bytearray(payload)
        if rng.random() < 0.4:
            return payload[:at]
        data[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        return bytes(data)


def _values(place: Any) -> list[Any]:
    return list(place.values()) if isinstance(place, dict) else list(place)


class Output(io.TextIOBase):
    """Takes the output. Raises AssertionError for a line that no message may cause."""

    def __init__(self) -> None:
        self.lines = 0
        self.topic: str | bytes = ""

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        hidden = [char for char in text if not char.isprintable() and char != "\n"]
        assert not hidden, f"printed {hidden[:5]!r}"
        if text.startswith("{"):
            found = json.loads(text)
            node = f"/{found['node']}/"
            assert found["at"][:2] == "20" and (found["what"] == "quarantine" or
                                                node in str(self.topic)), text  # fmt: skip
        return len(text)


def run(n: int, seed: int) -> Body:
    """Send `n` messages, in text and in JSON mode in turns. Returns figures. Raises."""
    generator, output = Generator(seed), Output()
    # Without a limit of messages: a flood would be dropped without a look.
    unlimited = mock.patch.object(limits, "MESSAGES_BURST", float("inf"))
    folders = tempfile.TemporaryDirectory()
    with unlimited, folders as folder, contextlib.redirect_stdout(output):
        sessions = (Session(Path(folder) / "a"), Session(Path(folder) / "b", "--json"))
        for one in sessions:
            one.collector.store.database.execute("PRAGMA synchronous = OFF")  # no power cut
        began, early_kb = time.monotonic(), 0
        for i in range(n):
            topic, payload = generator.message()
            output.topic = topic
            try:
                sessions[i % 2].receive(topic, payload)
            except BaseException:
                print(f"message {i} of seed {seed}: {topic!r:.200} {payload!r:.2000}",
                      file=sys.stderr)  # fmt: skip
                raise
            if i == n // 5:
                early_kb = _memory_kb()
        figures = {
            "messages": n, "seed": seed, "seconds": round(time.monotonic() - began, 1),
            "acknowledged": sum(one.acknowledged for one in sessions), "lines": output.lines,
            "memory_kb": [early_kb, _memory_kb()],
            "not_kept": sum(one.collector.refused.dropped() for one in sessions),
        }  # fmt: skip
        for table in ("records", "gone", "doubts", "quarantine"):
            figures[table] = sum(one.collector.store.count_rows(table) for one in sessions)
        for one in sessions:
            _check_file(one)
    return figures


def _memory_kb() -> int:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _check_file(session: Session) -> None:
    store = session.collector.store
    for node in NODES:
        assert store.count_rows("quarantine") <= (len(NODES) + 1) * limits.NODE_ROWS_MAX
        for log in LOGS:
            assert store.confirmed((node, log)) <= store.newest((node, log)), (node, log)
    check = store.database.execute("PRAGMA integrity_check").fetchone()
    assert check == ("ok",), check
    session.collector.close()


def main(words: list[str]) -> int:
    options = {"N": "2000", "SEED": "1"} | dict(word.split("=", 1) for word in words)
    sys.stdout.write(json.dumps(run(int(options["N"]), int(options["SEED"]))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
