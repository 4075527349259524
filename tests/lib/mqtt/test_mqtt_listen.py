"""The client reads packets of the broker: messages, bad packets, silence."""

import asyncio
import random
import struct
import time

from fake_broker import length, reconnect, with_listener


def _hears(data, ends=False, **options):
    """Let a client listen to `data`. Return (client, broker, messages, reasons of its end)."""
    messages = []

    async def body(client, broker):
        client.on_message = lambda topic, payload, _is_retained: messages.append((topic, payload))
        broker.send(data)
        while client.connected and (ends or broker.sockets[0].rx):
            await asyncio.sleep_ms(1)
        for _ in range(5):  # turns for what was read last
            await asyncio.sleep_ms(1)

    client, broker, ended = with_listener(body, **options)
    return client, broker, messages, ended


def _publish(topic, payload, qos=0, pid=1):
    body = struct.pack("!H", len(topic)) + topic
    body += (struct.pack("!H", pid) if qos else b"") + payload
    return bytes((0x30 | qos << 1,)) + length(len(body)) + body


def test_messages_are_handed_over_and_acknowledged_when_asked():
    data = _publish(b"a", b"zero") + _publish(b"b", b"one", 1, 0x0203) + _publish(b"c", b"")
    client, broker, messages, ended = _hears(data)
    assert messages == [(b"a", b"zero"), (b"b", b"one"), (b"c", b"")]
    assert broker.others == [(0x40, b"\x02\x03")]
    assert ended == [] and client.malformed == client.oversized == 0


def test_a_subscription_asks_for_confirmed_delivery():
    async def body(client, broker):
        await client.subscribe(b"root/n1/ack")
        assert broker.others == [(0x82, b"\0\x01\0\x0broot/n1/ack\x01")]
        broker.send(b"\x90\x03\0\x01\x01")
        await asyncio.sleep_ms(10)

    _, _broker, ended = with_listener(body)
    assert ended == []


def test_a_message_too_long_is_skipped_and_counted():
    data = _publish(b"a", b"x" * 2046) + _publish(b"b", b"small")
    client, _broker, messages, ended = _hears(data)
    assert messages == [(b"b", b"small")] and client.oversized == 1 and ended == []
    data = _publish(b"a", b"x" * 2045)
    client, _broker, messages, ended = _hears(data)
    assert len(messages[0][1]) == 2045 and client.oversized == 0


def test_a_refused_message_of_qos_1_is_acknowledged_all_the_same():
    good = _publish(b"b", b"good")
    for bad, counts in (
        (_publish(b"a", b"x" * 2500, 1, 7), (1, 0)),
        (_publish(b"t" * 3000, b"x", 1, 7), (1, 0)),
        (_publish(b"a" * 2500, b"", 1, 7), (1, 0)),
        (_publish(b"t" * 260, b"x", 1, 7), (0, 1)),
    ):
        client, broker, messages, ended = _hears(bad + good)
        assert broker.others == [(0x40, b"\0\x07")] and messages == [(b"b", b"good")]
        assert (client.oversized, client.malformed) == counts and ended == []


def test_a_message_beyond_16_kb_is_not_read_and_its_session_is_given_up():
    """100 MB at a command's topic: to skip them would take minutes, at every connection."""
    packet = _publish(b"root/n1/cmd", b"", 1)
    bad = packet[:1] + length(100_000_000) + packet[2:] + b"x" * 5000
    flags = []

    async def body(client, broker):
        flags.append(broker.connects[-1][7])
        broker.send(bad)
        while client.connected:
            await asyncio.sleep_ms(1)
        assert len(broker.sockets[0].rx) >= 5000, "the payload stays unread"
        for unread in (client.unread, b""):
            client.unread = unread
            (await reconnect(client)).cancel()
            flags.append(broker.connects[-1][7])

    client, broker, ended = with_listener(body)
    assert ended == ["message of 100000000 bytes, at most 2048"] and broker.others == []
    assert flags[0] & 2 == 0 and flags[1] == flags[0] | 2 and flags[2] == flags[0]
    client, _broker, messages, ended = _hears(_publish(b"a", b"x" * 16_381) + _publish(b"b", b""))
    assert messages == [(b"b", b"")] and client.unread == b"" and ended == []


def test_a_retained_message_is_told_from_a_live_one():
    heard = []

    async def body(client, broker):
        client.on_message = lambda topic, _payload, is_retained: heard.append((topic, is_retained))
        old = _publish(b"old", b"x", 1)
        broker.send(bytes((old[0] | 1,)) + old[1:] + _publish(b"new", b"x", 1))
        while len(heard) < 2:
            await asyncio.sleep_ms(1)

    with_listener(body)
    assert heard == [(b"old", 1), (b"new", 0)]


def test_a_long_message_whose_topic_ends_beyond_it_ends_the_connection():
    bad = b"\x32\xb8\x17" + b"\xff\xff" + b"x" * 2998
    client, _broker, messages, ended = _hears(bad, True)
    assert ended == ["malformed topic length"] and messages == [] and client.oversized == 1


def test_a_malformed_message_is_counted_and_the_next_one_handed_over():
    good = _publish(b"b", b"good")
    for bad in (
        b"\x30\x00",
        b"\x30\x01\x00",
        b"\x30\x03\x00\x05a",  # the topic ends beyond the packet
        b"\x30\x02\xff\xff",
        b"\x32\x04\x00\x01a\x00",  # no room for the id
        _publish(b"a", b"x", 2),
        _publish(b"a", b"x", 3),
        _publish(b"t" * 260, b"x"),
    ):
        client, _broker, messages, ended = _hears(bad + good)
        assert client.malformed == 1 and messages == [(b"b", b"good")] and ended == [], bad


def test_on_refused_gets_the_reason_for_each_refused_message():
    reasons = []

    async def body(client, broker):
        client.on_refused = reasons.append
        long = _publish(b"a", b"x" * 3000, 1, 7)
        broker.send(long + _publish(b"t" * 260, b"x", 1, 8) + b"\x30\x02\xff\xff")
        while broker.sockets[0].rx:
            await asyncio.sleep_ms(1)
        for _ in range(5):
            await asyncio.sleep_ms(1)

    with_listener(body)
    assert reasons == [
        "message of 3005 bytes, at most 2048", "topic of 260 bytes",
        "malformed message of 2 bytes",
    ]  # fmt: skip


def test_unexpected_packets_are_skipped():
    data = b"\x40\x02\x00\x09" + b"\x40\x00" + b"\xd0\x00" + b"\x90\x03\0\x01\x80" + b"\xf0\x01x"
    client, _broker, messages, ended = _hears(data + _publish(b"b", b"good"))
    assert messages == [(b"b", b"good")] and ended == [] and client.malformed == 0


def test_a_malformed_length_ends_the_connection():
    client, _broker, messages, ended = _hears(b"\x30\xff\xff\xff\xff\x01" + b"x" * 20, True)
    assert ended == ["malformed packet length"] and messages == [] and not client.connected


def test_half_a_packet_counts_as_silence():
    for data in (b"\x30", b"\x30\x80", b"\x30\x05\x00", b"\x30\xff\x7f" + b"x" * 300):
        _, _broker, messages, ended = _hears(data, True, keepalive=1)
        assert ended == ["the broker is silent"] and messages == []


def test_a_closed_connection_ends_the_listening():
    async def body(_, broker):
        broker.sockets[0].ended = True
        await asyncio.sleep_ms(20)

    client, _broker, ended = with_listener(body)
    assert len(ended) == 1 and ended[0].startswith("read") and not client.connected


def test_garbage_never_raises_anything_but_link_down():
    random.seed(13)
    for _ in range(30):
        data = bytes(random.getrandbits(8) for _ in range(random.randrange(1, 60)))
        client, _broker, _messages, ended = _hears(data)
        assert len(ended) <= 1, data


def test_silence_is_answered_with_a_ping_and_the_answer_keeps_the_link():
    async def body(client, broker):
        await asyncio.sleep_ms(1250)
        assert broker.others == [(0xC0, b"")] * 2
        assert client.connected

    _, _broker, ended = with_listener(body, keepalive=1)
    assert ended == []


def test_a_half_open_connection_is_noticed_within_one_and_a_half_keepalives():
    outcome = []

    async def body(client, broker):
        broker.pong = b""
        start = time.ticks_ms()
        while client.connected and time.ticks_diff(time.ticks_ms(), start) < 3000:
            await asyncio.sleep_ms(20)
        outcome.append(time.ticks_diff(time.ticks_ms(), start))

    client, broker, ended = with_listener(body, keepalive=1)
    assert ended == ["the broker is silent"] and not client.connected
    assert 1300 < outcome[0] < 2500 and broker.others == [(0xC0, b"")]


def test_a_certificate_that_is_not_accepted_ends_the_connection_with_the_reason():
    """TLS tells it as a ValueError, with the first bytes that are read."""

    async def body(client, broker):
        def read(_buf):
            raise ValueError("The certificate is not correctly signed by the trusted CA\n")

        broker.sockets[0].readinto = broker.sockets[0].read = read
        broker.send(b"x")
        await asyncio.sleep_ms(20)
        assert not client.connected

    _, _broker, ended = with_listener(body)
    assert ended == ["tls: The certificate is not correctly signed by the trusted CA"]
