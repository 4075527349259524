"""The MQTT client connects and publishes. Refusals, late, missing and foreign PUBACKs."""

import asyncio
import time
from errno import EINPROGRESS

from fake_broker import TOPIC, acknowledge, down, new_client, text, with_listener

import mqtt.connection as module
from mqtt import LinkDown
from mqtt.connection import Refused
from mqtt.frame import FrameFull


def test_connect_is_one_packet_with_keepalive_and_a_kept_session():
    client, broker = new_client(keepalive=60)
    assert asyncio.run(client.open()) is False and client.connected
    assert broker.connects == [b"\x00\x04MQTT\x04\x00\x00\x3c\x00\x0ctallypost-n1"]
    assert broker.sockets[0].address == ("broker.example", 1883)
    assert broker.sockets[0].blocking is False, "nothing waits in a blocking call"


def test_connect_names_the_user_and_the_last_will():
    client, broker = new_client(user="node")
    client.set_last_will(b"w", b"gone", True, 1)
    asyncio.run(client.open())
    assert broker.connects == [
        b"\x00\x04MQTT\x04\xec\x00\x3c\x00\x0ctallypost-n1\0\x01w\0\x04gone\0\x04node\0\x06secret"
    ]


def test_a_user_needs_no_password_and_lengths_are_of_bytes():
    for user, password, tail in (
        ("node", "", b"\0\x04node\0\0"),
        ("node", None, b"\0\x04node\0\0"),
        ("stra\u00dfe", "\u20ac5", b"\0\x07stra\xc3\x9fe\0\x04\xe2\x82\xac5"),
    ):
        client, broker = new_client(user=user, password=password)
        asyncio.run(client.open())
        assert broker.connects == [b"\x00\x04MQTT\x04\xc0\x00\x3c\x00\x0ctallypost-n1" + tail], (
            broker.connects
        )


def test_open_is_true_if_the_session_was_kept():
    client, broker = new_client()
    broker.connack = b"\x20\x02\x01\x00"
    assert asyncio.run(client.open()) is True


def test_a_heap_without_room_to_connect_is_a_reason_to_wait():
    async def full(_client):
        raise MemoryError

    client, _broker = new_client()
    kept, module.open_stream = module.open_stream, full
    try:
        assert asyncio.run(down(client.open())) == "no memory to connect"
    finally:
        module.open_stream = kept
    assert not client.connected


def test_a_refusal_carries_its_code():
    for code in (1, 2, 3, 4, 5, 255):
        client, broker = new_client()
        broker.connack = bytes((0x20, 2, 0, code))
        try:
            asyncio.run(client.open())
            raise AssertionError("connected")
        except Refused as error:
            assert error.code == code and str(code) in str(error)
        assert not client.connected and broker.sockets[0].closed


def test_an_answer_that_is_no_connack_is_link_down():
    for answer in (b"", b"\x30\x02\0\0", b"\x20\x03\0\0", b"HTTP/1.1 400", b"\xff\xff\xff\xff"):
        client, broker = new_client()
        broker.connack = answer
        try:
            asyncio.run(client.open())
            raise AssertionError(answer)
        except LinkDown:
            assert not client.connected and broker.sockets[0].closed


def test_an_unreachable_broker_is_link_down():
    for error in (OSError(111), OSError(-2)):
        client, broker = new_client()
        broker.unreachable = error
        try:
            asyncio.run(client.open())
            raise AssertionError("connected")
        except LinkDown:
            assert not client.connected and broker.sockets[0].closed


def _gives_up(client):
    """The reason for which `open` gives up. Other tasks run meanwhile."""
    turns = []

    async def main():
        task = asyncio.create_task(down(client.open()))
        while not task.done():
            turns.append(1)
            await asyncio.sleep_ms(0)
        return await task

    why = asyncio.run(main())
    assert len(turns) > 5 and not client.connected
    return why


def test_a_broker_without_an_answer_is_given_up_and_stops_no_task():
    client, broker = new_client()
    client.connect_ms = 500
    broker.connack = None  # not even the end of the connection
    assert _gives_up(client) == "no CONNACK within 500 ms" and broker.sockets[0].closed


def test_a_connect_that_never_ends_is_given_up_and_stops_no_task():
    client, broker = new_client()
    client.connect_ms = 500
    broker.unreachable = OSError(EINPROGRESS)
    broker.deaf = True
    assert _gives_up(client) == "connect: no answer within 500 ms" and broker.sockets[0].closed


class Hours:
    """Stands for the module `time` of the client. The test sets the hour."""

    ticks_diff = time.ticks_diff
    hour = 0

    @classmethod
    def ticks_ms(cls):
        return cls.hour * 3_600_000


def _tries(client, count):
    """Make so many connections that fail. Return the last reason."""
    for _ in range(count):
        why = asyncio.run(down(client.open()))
    return why


def test_a_name_is_looked_up_once_an_hour_however_often_the_connection_fails():
    module.time = Hours
    client, broker = new_client()
    broker.unreachable = OSError(111)
    for Hours.hour in range(1, 4):
        _tries(client, 20)
        assert broker.lookups == Hours.hour


def test_the_old_address_stays_in_use_while_the_name_server_is_dead():
    module.time = Hours
    client, broker = new_client()
    broker.nameless = OSError(-202)
    assert "-202" in _tries(client, 3) and broker.lookups == 3 and broker.sockets == []
    broker.nameless = None
    asyncio.run(client.open())
    client.drop()
    broker.nameless = OSError(-202)
    for Hours.hour in range(10, 13):
        asyncio.run(client.open())
        client.drop()
    assert broker.lookups == 7


def test_a_connect_that_ends_later_is_awaited():
    client, broker = new_client()
    broker.unreachable = OSError(EINPROGRESS)
    assert asyncio.run(client.open()) is False and client.connected


def test_without_a_connection_nothing_is_sent():
    client, broker = new_client()
    for qos in (0, 1):
        assert "not connected" in asyncio.run(down(client.publish(TOPIC, text(b"x"), qos=qos)))
    assert "not connected" in asyncio.run(down(client.subscribe(b"t")))
    assert broker.sockets == []
    client.drop()  # harmless


def test_a_publish_without_confirmation_does_not_wait():
    async def body(client, broker):
        assert await client.publish(TOPIC, text("x"), True, 0) == 1
        assert broker.published == [(1, TOPIC, 0, b"x")]

    with_listener(body)


def test_an_acknowledged_publish_returns_the_result_of_fill():
    async def body(client, broker):
        assert await client.publish(TOPIC, text(b"four"), qos=1) == 4
        assert await client.publish(TOPIC, text(b"three"), True, 1) == 5
        assert broker.published == [(2, TOPIC, 1, b"four"), (3, TOPIC, 2, b"three")]

    client, _broker, _ended = with_listener(body)
    assert client.retransmits == 0


def test_a_late_puback_is_waited_for():
    async def body(client, broker):
        broker.puback = lambda pid: b""
        task = asyncio.create_task(client.publish(TOPIC, text(b"x"), qos=1))
        await asyncio.sleep_ms(20)
        assert not task.done()
        broker.send(acknowledge(1)[:3])
        await asyncio.sleep_ms(10)
        assert not task.done()
        broker.send(acknowledge(1)[3:])
        assert await asyncio.wait_for_ms(task, 1000) == 1
        assert client.connected

    with_listener(body)


def _why_without(answer):
    """The reason of LinkDown if a publish gets `answer`."""
    outcome = []

    async def body(client, broker):
        broker.puback = lambda pid: answer
        outcome.append(await down(client.publish(TOPIC, text(b"x"), qos=1)))
        assert not client.connected and broker.sockets[0].closed

    with_listener(body, ack_ms=500)
    return outcome[0]


def test_a_missing_or_foreign_puback_drops_the_connection():
    for answer in (b"", acknowledge(2), acknowledge(0), b"\x40\x03\0\x01\0", b"\x50\x02\0\x01"):
        assert "no PUBACK" in _why_without(answer), answer


def test_a_foreign_puback_before_the_right_one_does_no_harm():
    async def body(client, broker):
        broker.puback = lambda pid: acknowledge(pid + 1) + acknowledge(pid)
        await client.publish(TOPIC, text(b"x"), qos=1)
        await client.publish(TOPIC, text(b"y"), qos=1)
        assert [pid for _flags, _topic, pid, _payload in broker.published] == [1, 2]

    with_listener(body)


def test_one_publish_is_in_flight_at_a_time():
    async def body(client, broker):
        broker.puback = lambda pid: b""
        tasks = [asyncio.create_task(client.publish(TOPIC, text(b), qos=1)) for b in (b"x", b"y")]
        await asyncio.sleep_ms(10)
        assert len(broker.published) == 1
        broker.puback = acknowledge
        broker.send(acknowledge(1))
        await asyncio.gather(*tasks)
        assert [payload for _f, _t, _p, payload in broker.published] == [b"x", b"y"]

    with_listener(body)


def test_packet_ids_wrap_without_zero():
    async def body(client, broker):
        client.pid = 65_533
        for i in range(5):
            await client.publish(TOPIC, text(b"%d" % i), qos=1)
        pids = [pid for _flags, _topic, pid, _payload in broker.published]
        assert pids == [65_534, 65_535, 1, 2, 3]

    with_listener(body)


def test_a_message_that_does_not_fit_is_refused_and_the_link_stays_up():
    async def body(client, broker):
        try:
            await client.publish(TOPIC, text(b"x" * 600), qos=1)
            raise AssertionError("sent")
        except FrameFull:
            assert broker.published == []
        await client.publish(TOPIC, text(b"x"), qos=1)
        assert len(broker.published) == 1

    with_listener(body)


def test_a_connection_that_accepts_no_bytes_is_dropped():
    outcome = []

    async def body(client, broker):
        broker.sockets[0].blocked = True
        outcome.append(await down(client.publish(TOPIC, text(b"x"), qos=1)))
        assert not client.connected

    with_listener(body, ack_ms=60)
    assert "write timed out" in outcome[0]


def test_a_write_error_is_link_down():
    async def body(client, broker):
        broker.sockets[0].refuses = OSError(104)
        assert "write" in await down(client.publish(TOPIC, text(b"x"), qos=1))

    with_listener(body)
