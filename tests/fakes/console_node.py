"""A node at the end of a serial line, and who sits at the other end; time is real, and short."""

import asyncio
import json

from app import App
from config.schema import accept
from counting.counter import Counter
from board_parts import FakeLog, FakeNvs, FakeRtc, FakeUart
from core.health import Health
from console.reader import attend
from publisher_node import Node as UplinkNode


CAR = (0, 2, 402, 0, -1, 402)


class Console(FakeUart):
    """Both ways: what the technician sends, and the text that the node writes."""

    def __init__(self):
        super().__init__()
        self.text = b""
        self.longest = 0

    def write(self, data):
        self.text += data
        self.longest = max(self.longest, len(data))
        return len(data)


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
        self.log, self.board, self.nvs = FakeLog(), Board(), FakeNvs(wifi_ssid=b"street")
        self.node = "n1" if provisioned else ""
        self.refused_commands = self.resets = 0
        self.faults, self.died = [], []
        self.port = Console()
        self.streaming = None
        if provisioned:
            self._provision(count, settings)

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
        """Bytes of a line, and what the node wrote meanwhile, as a list of lines."""
        self.port.inject(text if isinstance(text, bytes) else text.encode())
        self._live(lambda: not self.port.any())
        return self.lines()

    def ask(self, **body):
        """The one reply to a command."""
        (line,) = self.send(json.dumps(body) + "\n")
        return json.loads(line)

    def lines(self):
        text = self.port.text
        assert not text or text.endswith(b"\r\n")
        return [line.decode() for line in text.split(b"\r\n")[:-1] if line]

    def stream(self, until, during=None, **body):
        """Every line that follows a command, up to the one for which until(line) is true."""

        def ended():
            last = self.port.text[:-2].rsplit(b"\r\n", 1)[-1]
            return self.port.text.endswith(b"\r\n") and until(json.loads(last))

        self.port.inject(json.dumps(body).encode() + b"\n")
        self._live(ended, during)
        assert self.died == []
        return [json.loads(line) for line in self.lines()]

    def _live(self, ended, during=None):
        """Attend to the console until something is so; during(step) is called every 5 ms."""

        async def main():
            self.port.text = b""
            task = asyncio.create_task(attend(self, self.port))
            for step in range(2000 if during else 50_000):
                await asyncio.sleep_ms(5 if during else 0)
                if during:
                    during(step)
                if ended():
                    break
            else:
                raise AssertionError("it did not end: %s" % self.port.text[-300:])
            for _ in range(5):
                await asyncio.sleep_ms(0)
            task.cancel()

        asyncio.run(main())
