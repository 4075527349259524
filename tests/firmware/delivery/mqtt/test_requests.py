"""Messages of the backend: acknowledgements, commands and their replies, and the health report."""

import asyncio
import io
import json

from board_parts import FakeProgress
from console_node import SerialNode
from delivery.mqtt import requests as module
from delivery.mqtt.requests import RequestHandler
from mqtt import FrameFull, LinkDown


class Link:
    """Keeps (suffix, body) of messages. A test sets what a publish raises, or that it waits."""

    error = ""
    connects = failures = 0

    def __init__(self):
        self.on_message = self.on_refused = None
        self.sent = []
        self.raises = []
        self.waits = None  # an event: each publish waits for it
        self.reopened = 0

    def is_up(self):
        return True

    def reopen(self):
        self.reopened += 1

    async def publish(self, suffix, fill, retain=False, qos=1):
        assert qos == 0 and not retain, "a reply that is lost is asked for again"
        if self.waits:
            await self.waits.wait()
        if self.raises:
            raise self.raises.pop(0)
        if not isinstance(fill, dict):
            frame = io.StringIO()
            fill(frame)
            fill = json.loads(frame.getvalue())
        self.sent.append((suffix, fill))


class Wifi:
    joins = 0


def _node(count=5):
    node = SerialNode(count=count)
    node.link, node.wifi = Link(), Wifi()
    node.clock.failures = 0
    return node, RequestHandler(node)


def _after(node, *steps):
    """Take steps, with turns for tasks after each, and return the replies."""

    async def main():
        for step in steps:
            step()
            for _ in range(5):
                await asyncio.sleep_ms(0)

    asyncio.run(main())
    assert node.supervisor.died == []
    return [body for suffix, body in node.link.sent if suffix == "reply"]


def _command(node, number=1):
    payload = b'{"id":%d,"cmd":"ping"}' % number
    return lambda: node.link.on_message("cmd", payload)


def test_a_command_is_answered():
    node, _handler = _node()
    assert _after(node, _command(node)) == [{"v": 1, "id": 1, "ok": True, "result": "pong"}]


def test_an_acknowledgement_moves_the_cursor_and_needs_no_reply():
    node, _handler = _node()
    body = json.dumps({"v": 1, "log": "%08x" % node.ring.log_id, "seq": 3})
    assert _after(node, lambda: node.link.on_message("ack", body)) == []
    assert node.ring.cursor(0)[1] == 3 and node.uplink.refused_acks == 0


def test_an_acknowledgement_that_cannot_be_is_refused_with_the_reason_and_counted():
    node, _handler = _node()
    body = json.dumps({"v": 1, "log": "%08x" % node.ring.log_id, "seq": 6})
    (reply,) = _after(node, lambda: node.link.on_message("ack", body))
    assert not reply["ok"] and reply["id"] is None and "seq 6" in reply["error"]
    assert node.uplink.refused_acks == 1 and node.refused_commands == 0


def test_a_message_that_could_not_be_read_is_refused_with_the_reason_and_counted():
    node, _handler = _node()
    (reply,) = _after(node, lambda: node.link.on_refused("message of 3005 bytes, at most 2048"))
    assert not reply["ok"] and "3005" in reply["error"] and node.refused_commands == 1


def test_eight_replies_may_wait_and_no_command_is_carried_out_beyond_them():
    node, _handler = _node()
    asked = []
    command = node.command

    def counted(payload):
        asked.append(payload)
        return command(payload)

    node.command = counted

    async def main():
        node.link.waits = asyncio.Event()
        for number in range(12):
            _command(node, number)()
            await asyncio.sleep_ms(0)
        assert len(asked) == 8 and node.refused_commands == 4
        node.link.on_refused("one more")
        await asyncio.sleep_ms(0)
        assert node.refused_commands == 5
        node.link.waits.set()
        await asyncio.sleep_ms(20)
        assert [body["id"] for _suffix, body in node.link.sent] == list(range(8))
        _command(node, 99)()
        await asyncio.sleep_ms(20)
        assert node.link.sent[-1][1]["id"] == 99, "there is room again"

    asyncio.run(main())


def test_a_reply_too_long_for_a_message_is_replaced_by_the_reason():
    node, _handler = _node()
    node.link.raises = [FrameFull("message of 9000 bytes, at most 2048")]
    (reply,) = _after(node, _command(node, 7))
    assert reply["id"] == 7 and not reply["ok"] and "9000" in reply["error"]


def test_a_reply_that_is_lost_with_the_link_makes_room_for_others():
    node, _handler = _node()
    node.link.raises = [LinkDown("gone") for _ in range(10)]
    assert _after(node, *[_command(node)] * 10) == []
    assert len(_after(node, _command(node))) == 1
    assert node.log.lines.count(("warn", "a reply was lost with the link")) == 10


class Hours:
    """asyncio in which each wait passes at once. Keeps the waits, in seconds."""

    waits = []

    @staticmethod
    async def sleep(seconds):
        Hours.waits.append(seconds)
        await asyncio.sleep_ms(0)


def test_health_is_reported_every_quarter_of_an_hour_also_after_a_loss():
    node, handler = _node()
    module.asyncio, progress = Hours, FakeProgress()
    node.link.raises = [LinkDown("gone")]

    async def main():
        task = asyncio.create_task(handler.report_health(progress))
        while len(node.link.sent) < 3 and not task.done():
            await asyncio.sleep_ms(0)
        task.cancel()

    asyncio.run(main())
    assert set(Hours.waits) == {900} and 4 <= len(Hours.waits) <= 5
    assert len(progress.reports) >= 3 and set(progress.reports) == {"made"}
    assert node.link.reopened == len(progress.reports), "after each report, sent or not"
    for suffix, body in node.link.sent:
        assert suffix == "health" and body["node"] == "n1" and body["queue"] == 5
