"""The MQTT link: its reports to the supervisor, and its messages when it is connected."""

import asyncio
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
        self.topics, self.messages = [], []
        self.opened = self.dropped = 0
        self.ended = asyncio.Event()
        Client.made = self

    def set_last_will(self, topic, payload, retain, qos):
        self.will = topic

    async def open(self):
        self.opened += 1
        if not self.up:
            raise LinkDown("no broker")

    async def subscribe(self, topic):
        self.topics.append(topic)

    async def retransmit(self):
        pass

    async def publish(self, topic, fill, retain, qos):
        self.messages.append(topic)

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
        return host


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
