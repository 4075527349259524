"""A node at the end of a serial line, and who sits at the other end; time is real, and short."""

import asyncio
import json

from app import App
from config import accept
from counting import Counter
from fakes import FakeLog, FakeNvs, FakeRtc, FakeUart
from health import Health
from serial_desk import SerialDesk
from uplink_node import Node as UplinkNode


class Console(FakeLog):
    """The log, and what was put on the console beside it."""

    def __init__(self):
        super().__init__()
        self.text = ""
        self.longest = 0

    def put(self, text):
        self.text += text
        self.longest = max(self.longest, len(text))


class Board:
    NAME = "esp32_generic"

    def __init__(self):
        self.lit = []

    def mac(self):
        return b"\x24\x6f\x28\x00\x00\x0a"

    def led(self, on):
        self.lit.append(on)

    def reset_cause(self):
        return 1

    def wlan(self):
        return self

    def ifconfig(self):
        return ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1")

    def status(self, _what):
        return -61


class Network:
    """A link and its Wi-Fi, up or not."""

    reason = joins = connects = failures = 0
    error = ""

    def __init__(self, up):
        self._up = up

    def is_up(self):
        return self._up


class Detector:
    """state: as in wire/record.py; what else a kind of detector has is set by the test."""

    state = 1

    def stats(self):
        return {"frames_ok": 12, "resync_bytes": 3}


class SerialNode(App):
    """The application as far as a technician sees it; `ring` holds `count` intervals."""

    lora = None
    boot = 3
    storage = "flash"

    def __init__(self, count=0, provisioned=True, **settings):
        self.log, self.board, self.nvs = Console(), Board(), FakeNvs(wifi_ssid=b"street")
        self.node = "n1" if provisioned else ""
        self.refused_commands = self.resets = 0
        self.faults, self.died = [], []
        self.port = FakeUart()
        self.commands = None
        if provisioned:
            self._provision(count, settings)
        self.desk = SerialDesk(self, self.port)

    def _provision(self, count, settings):
        self.config = accept(settings)
        self._node = UplinkNode(count)
        self.ring, self.uplink, self.clock = self._node.ring, self._node.uplink, self._node.clock
        self.link = self.wifi = Network(True)
        self.health = Health()
        self.detector = Detector()
        self.counter = Counter(
            self.ring, self.clock, FakeRtc(), self.uptime_s, self.config, identity=(3, 1)
        )

    def uptime_s(self):
        return 100

    def reset_soon(self):
        self.resets += 1

    def fail(self, code, part, error):
        self.died.append((part, error))

    def send(self, text):
        """Bytes of a line, and what the node put on the console meanwhile, as a list of lines."""
        self.log.text = ""
        for byte in text if isinstance(text, bytes) else text.encode():
            self.desk.take(byte)
        return self.lines()

    def ask(self, **body):
        """The one reply to a command."""
        (line,) = self.send(json.dumps(body) + "\n")
        return json.loads(line)

    def lines(self):
        assert not self.log.text or self.log.text.endswith("\n")
        return self.log.text.split("\n")[:-1]

    def stream(self, until, during=None, **body):
        """Every line that follows a command, up to the one for which until(line) is true."""

        async def main():
            self.log.text = ""
            task = asyncio.create_task(self.desk.run())
            self.port.inject(json.dumps(body).encode() + b"\n")
            for step in range(2000):
                await asyncio.sleep_ms(5)
                if during:
                    during(step)
                last = self.log.text[:-1].rsplit("\n", 1)[-1]
                if self.log.text.endswith("\n") and until(json.loads(last)):
                    task.cancel()
                    return [json.loads(line) for line in self.lines()]
            raise AssertionError("it did not end: %s" % self.log.text[-300:])

        found = asyncio.run(main())
        assert self.died == []
        return found
