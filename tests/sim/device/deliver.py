"""A node without a detector at a real broker: its own delivery, intervals that close on demand.

`deliver.py PORT USER ROOM FIRST_PID [IDENTITY]`. IDENTITY: a JSON file with `node`, `host`,
`password` and `ca` (DER, hexadecimal) of a node that uses TLS. Each line on standard input gets a
line of JSON: `close N` closes N intervals, `state` gives the state of delivery. The publisher's
pauses pass 200 times faster, its acknowledgement time-outs 40 times. Nothing else does, and the
sockets are real.
"""

import asyncio
import json
import random
import sys
from binascii import unhexlify

from delivery.mqtt import link
from delivery.mqtt import publisher
from app import App
from config.schema import accept
from delivery.mqtt.requests import RequestHandler
from board_parts import FakeClock, FakeNvs
from core.log import Log
from core.supervisor import Supervisor
from mqtt import Backoff
from nor import Nor
from ring import INTERVAL, Ring
from wire.record import MAX_BYTES, TIME_NTP, Interval

_START = 1_600_000_000  # in the past: a backend doubts a record of tomorrow
_FASTER = 200
_PATIENCE_FASTER = 40


class Hurried:
    """asyncio with shorter waits."""

    Event = asyncio.Event
    TimeoutError = asyncio.TimeoutError

    @staticmethod
    async def sleep(seconds):
        await asyncio.sleep_ms(seconds * 1000 // _FASTER)

    @staticmethod
    async def sleep_ms(ms):
        await asyncio.sleep_ms(ms // _FASTER)

    @staticmethod
    def wait_for(awaitable, seconds):
        return asyncio.wait_for_ms(awaitable, seconds * 1000 // _PATIENCE_FASTER)


class Joined:
    """A Wi-Fi that never goes away."""

    async def wait_up(self):
        await asyncio.sleep_ms(0)

    async def resolve(self, host):
        return "127.0.0.1"


class Bench:
    """The board's part when a task dies."""

    def print_exception(self, error):
        sys.print_exception(error)

    def reset(self):
        sys.exit(3)


class Node(App):
    """The application as far as delivery goes: ring, link, publisher, commands."""

    def __init__(self, port, user, identity):
        self.board = Bench()
        self.node = identity.get("node", "n1")
        self.log = Log()
        self.memory = None
        self.supervisor = Supervisor(self.board, self.log)
        self.refused_commands = 0
        self.boot = 1
        self.used_ids, self.config_set_s = (), -60
        self.nvs = FakeNvs()
        ca = unhexlify(identity.get("ca", ""))
        self.config = accept({
            "mqtt_host": identity.get("host", "127.0.0.1"), "mqtt_port": port,
            "mqtt_keepalive": 30, "mqtt_tls": 1 if ca else 0,
        })  # fmt: skip
        self.clock = FakeClock(_START)
        self.ring = Ring(Nor(256, 4096), random.getrandbits)
        self.ring.open()
        self.link = link.MqttLink(
            self.config, {"mqtt_user": user, "mqtt_pass": identity.get("password")}, self.node,
            Joined(), Backoff(random.getrandbits, 50, 500), log=self.log,
            authorities=[ca] if ca else [],
        )  # fmt: skip
        self.client = self.link._client
        self.link.hello = self.hello
        self.uplink = publisher.Publisher(
            self.ring, self.link, self.node, self.clock, uptime_s=self.clock.seconds, boot=1
        )
        RequestHandler(self)
        self._interval = Interval()
        self._buf = bytearray(MAX_BYTES)

    def hello(self):
        return {"v": 1, "node": self.node, "state": "online", "log": self._log_id()}

    def _log_id(self):
        return "%08x" % self.ring.log_id

    async def run(self):
        progress, spawn = self.supervisor.watch("all", 60), self.supervisor.spawn
        spawn(self.link.run(progress), "link")
        spawn(self.uplink.run(progress), "uplink")
        orders = asyncio.StreamReader(sys.stdin.buffer)
        while True:
            order = (await orders.readline()).decode().split()
            if not order:
                return
            if order[0] == "close":
                for _ in range(int(order[1])):
                    self._close_interval()
                    await asyncio.sleep_ms(0)
            sys.stdout.write(json.dumps(self.state()) + "\n")

    def _close_interval(self):
        """The number of cars depends on the number of the record, so that each is known by its
        count."""
        rec = self._interval
        seq = self.ring.next_seq
        rec.reset(_START + 900 * seq, 900 * seq)
        rec.length = rec.coverage = 900
        rec.boot, rec.time_source = 1, TIME_NTP
        for _ in range(seq % 7):
            rec.add(seq % 2, 2, 300)
        self.ring.append(INTERVAL, self._buf, rec.pack_into(self._buf))
        self.uplink.wake()
        self.ring.prepare()

    def state(self):
        sent, confirmed = self.ring.cursor(0)
        client = self.client
        return {
            "log": self._log_id(), "closed": self.ring.next_seq - 1, "sent": sent,
            "confirmed": confirmed, "up": self.link.is_up(), "pid": client.pid,
            "rewinds": self.uplink.retransmissions, "connects": self.link.connects,
            "refused_acks": self.uplink.refused_acks, "refused_commands": self.refused_commands,
            "malformed": client.malformed, "oversized": client.oversized,
        }  # fmt: skip


def main():
    port, user, room, first_pid = sys.argv[1:5]
    identity = {}
    if len(sys.argv) > 5:
        with open(sys.argv[5]) as file:
            identity = json.load(file)
    publisher.asyncio = Hurried
    link.message_bytes = lambda: int(room)
    node = Node(int(port), user, identity)
    node.client.pid = int(first_pid)
    asyncio.run(node.run())


main()
