"""A node at the end of a serial line, and the technician at its other end. Time is real."""

import json
from board_parts import FakeLog, FakeNvs
from config import schema
from config.schema import accept
from wire.record import Interval
import asyncio

from app import App
from board_parts import FakeBoard, FakeProgress, FakeRtc, FakeUart
from console.reader import serve_console
from core.memory import Memory
from core.supervisor import Supervisor
from counting.counter import Counter
from publisher_node import Node as PublisherNode

CAR = (0, 2, 402, 0, -1, 402)


class Console(FakeUart):
    """Both directions: bytes of the technician, and the text that the node writes."""

    def __init__(self):
        super().__init__()
        self.text = b""
        self.longest = 0

    def write(self, data):
        self.text += data
        self.longest = max(self.longest, len(data))
        return len(data)


class Network:
    """A link and its Wi-Fi, up or not."""

    reason = joins = connects = failures = 0
    error = ""

    def __init__(self, up):
        self._up = up

    def is_up(self):
        return self._up


class Detector:
    """state: as in wire/record.py. A test sets the rest that a kind of detector has."""

    state = 1

    def stats(self):
        return {"frames_ok": 12, "resync_bytes": 3}


class Supervised(Supervisor):
    """Notes a task that dies."""

    def __init__(self, board, log):
        super().__init__(board, log)
        self.died = []

    def fail(self, code, part, error):
        self.died.append((part, error))


class SerialNode(App):
    """The application as far as a technician sees it. `ring` holds `count` intervals."""

    def __init__(self, count=0, provisioned=True, **settings):
        super().__init__(FakeBoard(FakeNvs(wifi_ssid=b"street")))
        self.log = FakeLog()
        self.supervisor = Supervised(self.board, self.log)
        self.node = "n1" if provisioned else ""
        self.boot, self.storage = 3, "flash"
        self.resets = 0
        self.port = Console()
        self.progress = FakeProgress()
        if provisioned:
            self._provision(count, settings)

    def _provision(self, count, settings):
        self.config = accept(settings)
        self.publisher = PublisherNode(count)
        self.ring, self.clock = self.publisher.ring, self.publisher.clock
        self.uplink = self.publisher.uplink
        self.link = self.wifi = Network(True)
        self.board.wlan().joined = True
        self.memory = Memory(self.board.system_heap, self.log)
        self.detector = Detector()
        self.uptime_s = lambda: 100
        self.counter = Counter(
            self.ring, self.clock, FakeRtc(), self.uptime_s, self.config, identity=(3, 1)
        )

    def reset_soon(self):
        self.resets += 1

    def send(self, text):
        """Send bytes, and return the lines that the node wrote meanwhile."""
        self.port.inject(text if isinstance(text, bytes) else text.encode())
        self.live(lambda: not self.port.any())
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
        """The lines that follow a command, up to the one for which until(line) is true."""

        def ended():
            last = self.port.text[:-2].rsplit(b"\r\n", 1)[-1]
            return self.port.text.endswith(b"\r\n") and until(json.loads(last))

        self.port.inject(json.dumps(body).encode() + b"\n")
        self.live(ended, during)
        assert self.supervisor.died == []
        return [json.loads(line) for line in self.lines()]

    def live(self, ended, during=None):
        """Serve the console until ended(). during(step) is called every 5 ms."""

        async def main():
            self.port.text = b""
            task = asyncio.create_task(serve_console(self, self.port, self.progress))
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


class FakeApp:
    """The application as far as commands need it."""

    node = "n1"
    boot = 7
    tally = None
    clock = None
    used_ids = ()
    config_set_s = -60
    uptime = 1000
    memory = None
    command, use_id, mark = App.command, App.use_id, staticmethod(App.mark)

    def __init__(self):
        self.refused_commands = 0
        self.config = accept({"site": "bridge", "interval_min": 5})
        self.nvs = FakeNvs()
        self.log = FakeLog()
        self.uplink = self
        self.resets = 0
        self.asked = []
        self.counter = self
        self.rec = Interval()
        self.events = []

    def uptime_s(self):
        return self.uptime

    def event(self, name, **fields):
        self.events.append((name, fields))

    def schema(self):
        return schema

    def hello(self):
        return {"state": "online"}

    def reset_soon(self):
        self.resets += 1

    def resend(self, first, last):
        self.asked.append((first, last))
        if first > last:
            raise ValueError("resend: %r..%r is no range" % (first, last))
        return first, last


def give(payload, app=None):
    app = app or FakeApp()
    before = app.refused_commands
    reply = app.command(payload)
    json.dumps(reply)  # it can be sent
    assert reply["v"] == 1
    assert app.refused_commands - before == (0 if reply["ok"] else 1)
    return reply


def ok(app=None, **body):
    reply = give(json.dumps(body).encode(), app)
    assert reply["ok"] and reply["id"] == body["id"], reply
    return reply["result"]


def refused(app=None, **body):
    reply = give(json.dumps(body).encode(), app)
    assert not reply["ok"] and reply["id"] == body.get("id") and "result" not in reply, reply
    return reply["error"]
