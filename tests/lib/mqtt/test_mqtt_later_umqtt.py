"""The client with later versions of umqtt.simple than 1.3.4."""

import asyncio
import sys

import later_umqtt
import umqtt
from fake_broker import TOPIC, acknowledge, down, new_client, reconnect, text, with_listener
from umqtt import simple as pinned

from mqtt import capture


def _install():
    """Install the later library, until the client has built its CONNECT."""
    capture.unload()
    umqtt.simple = sys.modules["umqtt.simple"] = later_umqtt
    sys.modules["umqtt"] = umqtt


def _from_pinned(user, password, will):
    """The body of the CONNECT that version 1.3.4 builds."""
    client = pinned.MQTTClient(b"tallypost-n1", b"broker.example", 1883, user, password, 60)
    if will:
        client.set_last_will(*will)
    captured = pinned.socket = capture.Capture()
    client.connect(False)
    return bytes(captured.packet[2:])


def test_the_later_library_is_the_one_under_test():
    _install()
    from mqtt import capture as again

    assert again.simple is later_umqtt and again.simple is not pinned


def test_the_connect_packet_of_a_later_library_is_the_same():
    for user, password in ((None, None), ("node", "secret"), ("node", "")):
        for will in (None, (b"root/n1/status", b"gone", True, 1)):
            _install()
            client, broker = new_client(user=user, password=password)
            if will:
                client.set_last_will(*will)
            asyncio.run(client.open())
            as_bytes = (user.encode(), password.encode()) if user else (None, None)
            assert broker.connects == [_from_pinned(*as_bytes, will)]


def test_a_client_connects_again_after_each_loss():
    _install()
    client, broker = new_client()
    for times in range(1, 6):
        asyncio.run(client.open())
        client.drop()
        assert len(broker.connects) == times and len(set(broker.connects)) == 1


def test_a_message_in_flight_is_retransmitted():
    async def body(client, broker):
        broker.puback = lambda pid: b""
        await down(client.publish(TOPIC, text(b"first"), qos=1))
        broker.puback = acknowledge
        task = await reconnect(client)
        await client.retransmit()
        task.cancel()
        assert broker.published == [(2, TOPIC, 1, b"first"), (10, TOPIC, 1, b"first")]

    _install()
    with_listener(body, ack_ms=300)


def test_packet_ids_wrap_with_a_later_library():
    async def body(client, broker):
        client.pid = 65_533
        for _ in range(5):
            await client.publish(TOPIC, text(b"x"), qos=1)
        pids = [pid for _flags, _topic, pid, _payload in broker.published]
        assert pids == [65_534, 65_535, 1, 2, 3]

    _install()
    with_listener(body)
