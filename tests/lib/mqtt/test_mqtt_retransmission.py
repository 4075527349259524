"""A message in flight is retransmitted once after the connection was lost."""

import asyncio
import time

from fake_broker import TOPIC, acknowledge, down, reconnect, text, with_listener


def _lost_then(then, payload=b"first"):
    """Lose a publish without a PUBACK, then run then(client, broker) on a new connection."""

    async def body(client, broker):
        broker.puback = lambda pid: b""
        await down(client.publish(TOPIC, text(payload), qos=1))
        broker.puback = acknowledge
        task = await reconnect(client)
        await then(client, broker)
        task.cancel()

    return with_listener(body, ack_ms=60)


def test_retransmit_sends_the_message_in_flight_with_dup_and_the_same_id():
    async def then(client, broker):
        await client.retransmit()
        assert broker.published == [(2, TOPIC, 1, b"first"), (10, TOPIC, 1, b"first")]
        assert client.retransmits == 1
        await client.retransmit()  # nothing is in flight any more
        assert len(broker.published) == 2

    _lost_then(then)


def test_the_same_payload_on_another_topic_is_another_message():
    async def then(client, broker):
        await client.publish(b"root/n1/counts", text(b"first"), qos=1)
        flags = [(flags & 8, topic) for flags, topic, _pid, _payload in broker.published]
        assert flags == [(0, TOPIC), (0, b"root/n1/counts")]

    _lost_then(then)


def test_a_message_that_retransmit_has_delivered_is_not_sent_again():
    async def then(client, broker):
        await client.retransmit()
        assert await client.publish(TOPIC, text(b"first"), qos=1) == 5
        assert len(broker.published) == 2
        await client.publish(TOPIC, text(b"first"), qos=1)  # a new message, by chance the same
        assert broker.published[2] == (2, TOPIC, 2, b"first")

    _lost_then(then)


def test_the_same_message_published_again_is_a_retransmission():
    async def then(client, broker):
        await client.publish(TOPIC, text(b"first"), qos=1)
        assert broker.published[1] == (10, TOPIC, 1, b"first")
        await client.publish(TOPIC, text(b"first"), qos=1)
        assert broker.published[2] == (2, TOPIC, 2, b"first")

    _lost_then(then)


def test_another_message_instead_gets_an_id_of_its_own():
    async def then(client, broker):
        await client.publish(TOPIC, text(b"second"), qos=1)
        assert broker.published[1] == (2, TOPIC, 2, b"second")

    _lost_then(then)


def test_a_retransmission_lost_again_stays_in_flight():
    async def then(client, broker):
        broker.puback = lambda pid: b""
        client.ack_ms = 60
        assert "no PUBACK" in await down(client.retransmit())
        broker.puback = acknowledge
        task = await reconnect(client)
        await client.retransmit()
        assert [(f, p) for f, _t, p, _x in broker.published] == [(2, 1), (10, 1), (10, 1)]
        task.cancel()

    _lost_then(then)


def test_a_message_in_flight_keeps_its_retain_flag():
    async def body(client, broker):
        broker.puback = lambda pid: b""
        await down(client.publish(TOPIC, text(b"x"), True, 1))
        broker.puback = acknowledge
        task = await reconnect(client)
        await client.retransmit()
        task.cancel()
        assert [flags for flags, _t, _p, _x in broker.published] == [3, 11]

    with_listener(body, ack_ms=60)


def test_a_connection_lost_while_waiting_is_noticed_at_once():
    async def body(client, broker):
        client.ack_ms = 2000
        broker.puback = lambda pid: b""
        start = time.ticks_ms()
        task = asyncio.create_task(down(client.publish(TOPIC, text(b"x"), qos=1)))
        await asyncio.sleep_ms(10)
        broker.sockets[0].ended = True
        assert "lost before PUBACK" in await task
        assert time.ticks_diff(time.ticks_ms(), start) < 1000

    with_listener(body)
