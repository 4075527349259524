"""The bench of the tests: a device, a channel and a network in virtual time.

The MAC runs in MicroPython (`device.py`), the network is `simulator.world.lorawan`. The device's
clock is wrong by `clock_ppm`, its time stamps and wake-ups by a random part of `error_us`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from simulator.world.lorawan import radio_medium, plan
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.regions import EU868, Region
from simulator.world.lorawan.server import Downlink, NetworkServer, Reception, Session

ROOT = Path(__file__).resolve().parents[3]
SECOND = 1_000_000
HEAP = "384k"  # 64-bit words: half of it on the chip
DEV_EUI, JOIN_EUI, APP_KEY = 0x70B3D57ED0000002, 0x0102030405060708, bytes(range(16))


class Refused(Exception):
    """The MAC has refused a call of the application."""


class Interpreter:
    """The process with the MAC."""

    def __init__(self, heap: str = HEAP, region: str = "EU868", sure: int = 0) -> None:
        micropython = Path(sys.executable).parent / "micropython"
        script = ROOT / "tests" / "conformance" / "support" / "device.py"
        self._process = subprocess.Popen(
            [str(micropython), "-X", f"heapsize={heap}", str(script), region, str(sure)],
            env={**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:.frozen"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, *request: object) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the interpreter has ended at {request}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


@dataclass(frozen=True)
class Transmission:
    """An uplink on air, with times of the world."""

    begin_us: int
    end_us: int
    freq_hz: int
    sf: int
    bw_hz: int
    dbm: int
    raw: bytes
    life: int


class Rig:
    """error_us: budget of the device. clock_ppm: its clock. loss: of uplinks and of downlinks.

    now: the device's time in microseconds. events, sent, windows: everything so far. forge:
    replaces the network's answer. sure: bytes of payload that the application counts on.
    """

    def __init__(
        self, seed: int = 1, *, error_us: int = 10_000, clock_ppm: int = 0, heap: str = HEAP,
        region: Region = EU868, sure: int = 0,
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self.interpreter = Interpreter(heap, region.name, sure)
        self.network = NetworkServer(region=region)
        self.seed, self.sure = seed, sure
        self.error_us = error_us
        self.clock_ppm = clock_ppm
        self.loss = 0.0
        self.snr = 7.0
        self.now = 0
        self.wake: int | None = None
        self.events: list[list[Any]] = []
        self.sent: list[Transmission] = []
        self.windows: list[radio_medium.IdealWindow] = []
        self.ends: list[int] = []  # of the transmission that each window follows
        self.downlinks: list[Downlink] = []  # what the network sent
        self.heard: list[Downlink] = []
        self.forge: Callable[[Downlink | None, Transmission], Downlink | None] | None = None
        self.lives = 0
        self._end = 0  # of the last transmission
        self._coming: Downlink | None = None  # the answer to it, until it was heard
        self.boot()

    def __enter__(self) -> Rig:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.interpreter.close()

    # --- the application

    def boot(self, warm: bool = False) -> bool:
        self.lives += 1
        seed = self.seed * 1000 + self.lives
        return bool(self.call("boot", self.now, seed, self.error_us, abs(self.clock_ppm), warm))

    def call(self, name: str, *arguments: object) -> Any:
        reply = self.interpreter.call(name, *arguments)
        if reply.get("cut"):
            raise PowerCut
        self.wake = reply["wake"]
        self.events += reply["events"]
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def enrol(self, **settings: Any) -> Device:
        """Register the device at the network."""
        device = Device(DEV_EUI, JOIN_EUI, APP_KEY, self.network.region.accept())
        for name, value in settings.items():
            setattr(device.settings, name, value)
        return self.network.joins.add(device)

    def request_join(self, within_us: int = 0, app_key: bytes = APP_KEY) -> None:
        euis = f"{DEV_EUI:016x}", f"{JOIN_EUI:016x}"
        self.call("join", self.now, *euis, app_key.hex(), within_us)

    def join(self, **settings: Any) -> Session:
        """Enrol the device and let it join. Returns the network's session."""
        self.enrol(**settings)
        self.request_join()
        self.run()
        return self.session()

    def session(self) -> Session:
        assert self.network.latest
        return self.network.latest

    def send(
        self, payload: bytes = b"data", port: int | None = 1, confirmed: bool = False
    ) -> None:
        """Send a payload, and run until it is done."""
        self.call("send", self.now, port, payload.hex(), confirmed)
        self.run()

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = self.call("facts")
        return facts

    def pop_events(self, name: str) -> list[list[Any]]:
        """The events of a name. All events are forgotten."""
        found = [event for event in self.events if event[0] == name]
        self.events.clear()
        return found

    # --- time

    def run(self, until: int | None = None) -> None:
        """Let the MAC work until it waits for the application, or until a time."""
        while self.wake is not None and (until is None or self.wake <= until):
            self.now = max(self.now, self.wake)
            request = self.call("poll", self.now)
            if request is not None:
                (self._transmit if request[0] == "tx" else self._listen)(request)
        if until is not None:
            self.now = max(self.now, until)

    def _transmit(self, request: list[Any]) -> None:
        _kind, freq, sf, bw, dbm, data = request
        raw = bytes.fromhex(data)
        end = self.now + round(plan.airtime_us(sf, bw, len(raw), True))
        frame = Transmission(self.now, end, freq, sf, bw, dbm, raw, self.lives)
        self.sent.append(frame)
        down = None
        if self.random.random() >= self.loss:
            down = self.network.uplink(Reception(raw, end, freq, sf, bw, self.snr))
        if down:
            self.downlinks.append(down)
            if self.random.random() < self.loss:
                down = None
        if self.forge:
            down = self.forge(down, frame)
        self.now = end
        self._end, self._coming = end, down
        self.call("tx_done", end + self._wrong(self.error_us // 2))

    def _wrong(self, error_max: int) -> int:
        """A random error of a time stamp or a wake-up. Half of them have the largest size."""
        if self.random.random() < 0.5:
            return self.random.choice((-error_max, error_max))
        return self.random.randint(-error_max, error_max)

    def _listen(self, request: list[Any]) -> None:
        _kind, freq, sf, bw, open_us, symbols = request
        drift = (open_us - self._end) * self.clock_ppm // 1_000_000
        late = self._wrong(self.error_us - self.error_us // 2)
        window = radio_medium.IdealWindow(open_us + drift + late, freq, sf, bw, symbols)
        self.windows.append(window)
        self.ends.append(self._end)
        down = self._coming
        if down and window.hears(down):
            self._coming = None
            self.heard.append(down)
            self.now = radio_medium.end_us(down)
            self.call("rx_done", self.now, down.raw.hex(), -90, round(self.snr))
        else:
            self.now = window.close_us()
            self.call("rx_timeout", self.now)


class PowerCut(Exception):
    """The power has failed in the middle of a write."""
