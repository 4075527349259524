"""Commands and acknowledgements through the request handler of a node, each answered."""

import json
import random

from console_node import SerialNode
from delivery.mqtt.requests import RequestHandler
from inputs import chance, damaged, main, pick
from mqtt.frame import Frame

_LIFE = 2000  # inputs: then a node starts anew, with its default settings
_NAMES = (
    "ping", "status", "log", "check", "identity", "config_get", "config_set", "config_stored",
    "resend", "reboot", "calibrate", "aim", "records", "confirm", "", "PING",
)  # fmt: skip
_KEYS = (
    "id", "cmd", "config", "from", "to", "boot", "expires", "sig", "serial", "tally", "node",
    "start", "stop", "site", "speed", "interval_min", "mqtt_host", "n", "\u00e9", "",
)  # fmt: skip
_TEXTS = ("", "x", "start", "forward.car=3", "x" * 90, "\x00", "\u202e", "{}", "%s", "broker")
_NUMBERS = (0, 1, -1, 3, 15, 255, 65_536, 2**30, 2**31, 2**63, 10**40, 0.5, -1e300)


def _value(depth=0):
    kind = random.randrange(8)
    if kind < 3:
        return pick(_NUMBERS)
    if kind < 5:
        return pick(_TEXTS)
    if kind < 6 or depth > 6:
        return pick((None, True, False))
    if kind < 7:
        return [_value(depth + 1) for _ in range(random.randrange(4))]
    return {pick(_KEYS): _value(depth + 1) for _ in range(random.randrange(4))}


def _command():
    body = {"id": random.getrandbits(30), "cmd": pick(_NAMES)}
    if chance(2):
        body.update({"from": 1 + random.randrange(20), "to": 1 + random.randrange(30)})
    if chance(3):
        body["config"] = {pick(_KEYS): _value() for _ in range(random.randrange(4))}
    for _ in range(pick((0, 1, 1, 3))):
        body[pick(_KEYS)] = _value()
    return json.dumps(body).encode()


def _deep():
    n = pick((5, 9, 60, 180, 900))
    head, tail = pick(((b"[", b"]"), (b'{"a":', b"}"), (b"[", b"")))
    return b'{"id":1,"cmd":"config_set","config":{"site":' + head * n + b"1" + tail * n + b"}}"


class _Link:
    """Takes replies, into a frame as short as that of a node short of memory."""

    error = ""
    connects = failures = 0

    def __init__(self):
        self._frame = Frame(2048)
        self.replies = 0

    def is_up(self):
        return True

    async def publish(self, suffix, body, retain=False, qos=1):
        self._frame.start(b"", 0)
        json.dump(body, self._frame)
        self.replies += 1
        return suffix


class Commands:
    """Raises when the task that receives would have ended, or an answer stays away."""

    def __init__(self):
        self.last = b""
        self.figures = {"replies": 0, "carried_out": 0, "acks": 0, "starts": 0}

    def _start(self):
        self._node = node = SerialNode(20)
        node.link = _Link()
        node.supervisor.spawn = self._spawn
        self._handler = RequestHandler(node)
        self.figures["starts"] += 1

    def _spawn(self, coroutine, name):
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("a reply waits for ever")

    def feed(self, i):
        if i % _LIFE == 0:
            self._start()
        node, figures = self._node, self.figures
        is_ack = chance(4)
        if is_ack:
            body = {"v": 1, "log": "%08x" % node.ring.log_id, "seq": random.randrange(25)}
            if chance(2):
                body[pick(("v", "log", "seq"))] = _value()
            data = json.dumps(body).encode()
        else:
            data = _deep() if chance(20) else _command()
        self.last = data = damaged(data) if chance(2) else data
        replies, refused = node.link.replies, node.refused_commands
        refused_acks = node.uplink.refused_acks
        node.link.on_message("ack" if is_ack else "cmd", data)
        figures["replies"] += node.link.replies - replies
        if is_ack:
            figures["acks"] += node.uplink.refused_acks == refused_acks
        else:
            assert node.link.replies == replies + 1, "no answer"
            figures["carried_out"] += node.refused_commands == refused
        node.log.lines.clear()


main(Commands)
