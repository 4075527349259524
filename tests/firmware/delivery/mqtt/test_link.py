"""The MQTT link: its reports to the supervisor, and its messages when it is connected."""

import asyncio
import io
import json
import sys

from board_parts import FakeLog, FakeProgress
from config.schema import accept
from delivery.mqtt import link as module
from mqtt import LinkDown


class Client:
    """An MQTT client with a broker that is there while `up`. Keeps topics of messages."""

    up = True

    def __init__(self, *_args, **_more):
        self.wrap = None
        self.unread = b""
        self.error = LinkDown("broken pipe")
        self.topics, self.messages, self.bodies = [], [], []
        self.opened = self.dropped = 0
        self.ended = asyncio.Event()
        Client.made = self

    def set_last_will(self, topic, payload, retain, qos):
        self.will = topic
        self.last_will = json.loads(payload), retain, qos

    async def open(self):
        self.opened += 1
        if not self.up:
            raise LinkDown("no broker")

    async def subscribe(self, topic):
        self.topics.append(topic)

    async def retransmit(self):
        pass

    async def publish(self, topic, fill, retain, qos):
        frame = io.StringIO()
        fill(frame)
        self.messages.append(topic)
        self.bodies.append((json.loads(frame.getvalue()), retain, qos))

    async def listen(self):
        await self.ended.wait()
        raise self.error

    def drop(self):
        self.dropped += 1


class Wifi:
    """Wi-Fi that comes with `up.set()`."""

    def __init__(self):
        self.up = asyncio.Event()

    async def wait_up(self):
        await self.up.wait()

    async def resolve(self, host):
        return "address of " + host


class Backoff:
    def next_ms(self):
        return 5

    def reset(self):
        pass


def _linked(**settings):
    module.Client = Client
    wifi, progress = Wifi(), FakeProgress()
    link = module.MqttLink(accept(settings), {}, "n1", wifi, Backoff(), log=FakeLog())
    link.hello = lambda: {"state": "online"}
    return link, wifi, progress


def _run(link, progress, steps):
    async def main():
        task = asyncio.create_task(link.run(progress))
        await steps()
        task.cancel()

    asyncio.run(main())


def test_without_a_network_the_link_is_idle():
    link, wifi, progress = _linked()

    async def steps():
        await asyncio.sleep_ms(10)
        assert progress.reports == ["idle"] and not link.is_up()

    _run(link, progress, steps)


def test_a_connected_link_is_idle_and_has_sent_status_and_configuration():
    link, wifi, progress = _linked(mqtt_root="city")
    wifi.up.set()

    async def steps():
        await asyncio.sleep_ms(10)
        assert link.is_up() and link.connects == 1
        assert progress.reports == ["idle", "made", "idle"]
        client = Client.made
        assert (
            client.topics == [b"city/n1/ack", b"city/n1/cmd"] and client.will == b"city/n1/status"
        )
        assert client.messages == [b"city/n1/status", b"city/n1/config"]
        client.ended.set()
        await asyncio.sleep_ms(2)
        assert progress.reports[:4] == ["idle", "made", "idle", "made"] and link.failures == 1
        assert link.error == "broken pipe"

    _run(link, progress, steps)


def test_status_configuration_and_last_will_stay_at_the_broker():
    link, wifi, progress = _linked(site="bridge")
    wifi.up.set()

    async def steps():
        await asyncio.sleep_ms(10)
        client = Client.made
        assert client.last_will == ({"v": 1, "node": "n1", "state": "offline"}, True, 1)
        status, config = client.bodies
        assert status == ({"state": "online"}, True, 1)
        body, retain, qos = config
        assert retain and qos == 1 and (body["v"], body["node"]) == (1, "n1")
        assert body["config"]["site"] == "bridge" and len(body["hash"]) == 8

    _run(link, progress, steps)


def test_messages_of_the_two_topics_are_handed_on_and_others_are_not():
    link, _wifi, _progress = _linked(mqtt_root="city")
    client, heard = Client.made, []
    client.on_message(b"city/n1/cmd", b"early", 0)  # nobody listens yet
    link.on_message = lambda suffix, payload: heard.append((suffix, payload))
    others = (b"city/n1/status", b"city/n2/cmd", b"town/n1/cmd", b"city/n1/cmd/x", b"cmd", b"")
    for topic in (b"city/n1/ack", b"city/n1/cmd") + others:
        client.on_message(topic, b"payload", 0)
    assert heard == [("ack", b"payload"), ("cmd", b"payload")]
    client.on_refused("early")
    link.on_refused = heard.append
    client.on_refused("too long")
    assert heard[-1] == "too long"


def test_without_a_connection_nothing_is_published():
    link, _wifi, _progress = _linked()
    try:
        asyncio.run(link.publish("counts", {}))
        raise AssertionError("sent")
    except LinkDown:
        assert Client.made.messages == []


def test_a_connection_that_is_lost_is_closed_and_those_who_wait_go_on_with_the_next():
    link, wifi, progress = _linked()
    wifi.up.set()
    ups = []

    async def watch():
        for _ in range(2):
            await link.wait_up()
            ups.append(link.connects)
            while link.is_up():
                await asyncio.sleep_ms(0)

    async def steps():
        task = asyncio.create_task(watch())
        await asyncio.sleep_ms(10)
        assert ups == [1] and Client.made.dropped == 0
        Client.made.ended.set()
        await asyncio.sleep_ms(2)
        assert not link.is_up() and Client.made.dropped >= 1
        Client.made.ended.clear()
        await asyncio.sleep_ms(30)
        assert ups == [1, 2] and link.failures == 1
        task.cancel()

    _run(link, progress, steps)


def test_a_message_may_be_longer_where_the_heap_is_larger():
    class Heap:
        free = 0

        @classmethod
        def mem_free(cls):
            return cls.free

    module.gc = Heap
    for Heap.free, size in ((10_000, 2048), (64_000, 4000), (1_000_000, 8192)):
        assert module.message_bytes() == size


def test_a_retained_message_is_dropped_with_a_reason():
    link, wifi, progress = _linked(mqtt_root="city")
    refused, heard = [], []
    link.on_refused, link.on_message = refused.append, lambda *heard_: heard.append(heard_)
    for topic in (b"cmd", b"ack"):
        Client.made.on_message(b"city/n1/" + topic, b"x", 1)
        Client.made.on_message(b"city/n1/" + topic, b"x", 0)
    assert refused == ["cmd: retained message, dropped", "ack: retained message, dropped"]
    assert heard == [("cmd", b"x"), ("ack", b"x")]


def test_a_listener_that_fails_in_any_way_ends_the_connection():
    link, wifi, progress = _linked()
    wifi.up.set()

    async def steps():
        for error in (RuntimeError("depth"), MemoryError("full"), TypeError("t"), KeyError("k")):
            await asyncio.sleep_ms(20)
            client, failures = Client.made, link.failures
            client.error = error
            client.ended.set()
            while link.failures == failures:
                await asyncio.sleep_ms(1)
            client.ended.clear()
            assert link.error == str(error) and client.dropped

    _run(link, progress, steps)


def test_a_topic_with_a_message_too_long_to_be_read_is_closed_for_a_while():
    link, wifi, progress = _linked(mqtt_root="city")
    wifi.up.set()
    refused = []
    link.on_refused = refused.append

    async def steps():
        await asyncio.sleep_ms(5)
        client = Client.made
        client.unread = b"city/n1/cmd"
        client.ended.set()
        await asyncio.sleep_ms(5)
        client.ended.clear()
        del client.topics[:]
        await asyncio.sleep_ms(20)
        assert link.is_up() and client.topics == [b"city/n1/ack"] and len(refused) == 1
        dropped = client.dropped
        link.reopen()
        assert client.unread == b"" and client.dropped == dropped + 1

    _run(link, progress, steps)


def test_each_attempt_to_connect_is_progress():
    link, wifi, progress = _linked()
    wifi.up.set()
    Client.up = False

    async def steps():
        await asyncio.sleep_ms(60)
        assert Client.made.opened >= 3 and link.failures == Client.made.opened
        assert progress.reports.count("made") >= 2 * link.failures - 1

    _run(link, progress, steps)
    Client.up = True


def test_tls_is_loaded_when_the_configuration_wants_it():
    for wanted in (0, 1):
        link, wifi, progress = _linked(mqtt_tls=wanted)
        wifi.up.set()

        async def steps():
            await asyncio.sleep_ms(10)

        _run(link, progress, steps)
        assert ("delivery.mqtt.tls" in sys.modules) == bool(wanted)
        assert "no usable certificate" in link.error if wanted else link.error == ""


def test_a_connection_that_is_lost_ends_the_wait_for_an_acknowledgement_at_once():
    class Waiting(Client):
        """A broker that acknowledges nothing. A dropped connection ends all waiting."""

        async def publish(self, topic, fill, retain, qos):
            self.closed = asyncio.Event()
            await self.closed.wait()
            raise LinkDown("connection lost before PUBACK")

        def drop(self):
            super().drop()
            if self.opened:
                self.closed.set()

    module.Client = Waiting
    wifi, progress = Wifi(), FakeProgress()
    link = module.MqttLink(accept({}), {}, "n1", wifi, Backoff(), log=FakeLog())
    link.hello = lambda: {"state": "online"}
    wifi.up.set()

    async def steps():
        await asyncio.sleep_ms(5)
        assert link.failures == 0
        Client.made.ended.set()
        await asyncio.sleep_ms(5)
        assert link.failures == 1 and link.error == "connection lost before PUBACK"

    _run(link, progress, steps)


def test_the_broker_is_looked_up_by_the_wifi_which_does_not_block():
    _linked()
    assert asyncio.run(Client.made.resolve("broker")) == "address of broker"
