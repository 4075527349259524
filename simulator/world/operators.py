"""A technician at the console and an operator at the broker: commands at random moments.

They ask what the tools ask: `tallypost check`, `aim`, `config get`, `pull` and others, and now and
then what the node has to refuse. None of it is meant to harm. A command that comes over the broker
waits there for a node that is away.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from simulator.world.network.broker import Broker
from simulator.world.protocol import PORT_CONSOLE

FIRST_US = 60_000_000  # no command in the first minute of a run
LAST_US = 120_000_000  # before the end: the answer has to come, too
_AIM_S = 5
REBOOT_US = 20_000_000  # from a change to the restart that puts it in force
_Body = dict[str, Any]
Change = tuple[int, _Body]  # microseconds, values of the configuration
CallAt = Callable[[int, Callable[[], None]], None]
Deliver = Callable[[int, bytes], None]


class Operators:
    """asked: the id of each command, and whether it came over the console."""

    def __init__(self, rng: random.Random, broker: Broker, topic: str) -> None:
        self._rng = rng
        self._broker = broker
        self._topic = topic
        self.asked: dict[str, bool] = {}
        self._answers: dict[str, _Body] = {}
        self._anonymous = 0  # refusals of a node without memory to read the id
        broker.attach(self._published)

    def begin(
        self,
        count: int,
        end_us: int,
        call_at: CallAt,
        deliver: Deliver,
    ) -> None:
        """Schedule `count` commands. call_at, deliver: of the node."""
        for number in range(count):
            t_us = self._rng.randrange(FIRST_US, max(FIRST_US + 1, end_us - LAST_US))
            is_console = self._rng.random() < 0.5
            name = f"{'console' if is_console else 'broker'}-{number}"
            body = {"id": name, **_draw(self._rng, is_console)}
            self.asked[name] = is_console
            text = json.dumps(body).encode()
            if is_console:
                call_at(t_us, partial(deliver, PORT_CONSOLE, _line(text)))
            else:
                call_at(t_us, partial(self._publish, t_us, text))

    @staticmethod
    def change(changes: Iterable[Change], call_at: CallAt, deliver: Deliver) -> None:
        """Schedule changes of the configuration at the console, each with a restart."""
        for number, (t_us, values) in enumerate(changes):
            body = {"id": f"change-{number}", "cmd": "config_set", "config": values}
            again = {"id": f"reboot-{number}", "cmd": "reboot"}
            for due_us, command in ((t_us, body), (t_us + REBOOT_US, again)):
                text = json.dumps(command).encode()
                call_at(due_us, partial(deliver, PORT_CONSOLE, _line(text)))

    def _publish(self, t_us: int, text: bytes) -> None:
        self._broker.publish(t_us, f"{self._topic}/cmd", text, 1, False)

    def _published(self, _t_us: int, topic: str, payload: bytes) -> None:
        if topic == f"{self._topic}/reply":
            self._note(payload)

    def _note(self, text: bytes | str) -> None:
        try:
            body = json.loads(text)
        except ValueError:
            return
        if isinstance(body, dict) and "ok" in body:
            if body.get("id") is None:
                self._anonymous += 1
            else:
                self._answers[str(body["id"])] = body

    def figures(self, console: Iterable[str]) -> dict[str, int]:
        """asked, answered, no_memory: refused for want of memory. lost: over the console, where
        nothing can be lost on the way. console: what the node has written, in pieces."""
        for line in "".join(console).splitlines():
            if line.startswith("{"):
                self._note(line)
        refused = [str(body.get("error")) for body in self._answers.values() if not body["ok"]]
        lost = [name for name, is_console in self.asked.items() if is_console]
        return {
            "asked": len(self.asked),
            "answered": len(set(self._answers) & set(self.asked)) + self._anonymous,
            "no_memory": sum("memory" in text for text in refused) + self._anonymous,
            "lost": max(0, len(set(lost) - set(self._answers)) - self._anonymous),
        }


def _line(text: bytes) -> bytes:
    """Send a command, after a Ctrl-U that empties the input line of the node."""
    return b"\x15" + text + b"\n"


def _draw(rng: random.Random, is_console: bool) -> _Body:
    first = rng.randint(-5, 200)
    kinds: list[_Body] = [
        {"cmd": "ping"}, {"cmd": "status"}, {"cmd": "log"}, {"cmd": "check"}, {"cmd": "identity"},
        {"cmd": "config_get"}, {"cmd": "config_stored"},
        {"cmd": "resend", "from": first, "to": first + rng.randint(-2, 20)},
        {"cmd": "config_set", "config": {"no_such_key": rng.randint(0, 9)}},
        {"cmd": "no_such_command", "more": "x" * rng.randint(0, 150)},
        {"cmd": "calibrate", "do": rng.choice(("start", "stop"))},
    ]  # fmt: skip
    if is_console:
        kinds += [
            {"cmd": "aim", "seconds": _AIM_S},
            {"cmd": "records", "from": max(1, first), "to": max(1, first) + 20},
        ]
    return rng.choice(kinds)
