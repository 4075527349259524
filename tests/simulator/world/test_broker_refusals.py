"""Refusals of the world's broker: garbage, strangers, and topics of other nodes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world.network.broker import Broker
from tests.simulator.world.test_broker import (
    OWN,
    ROOT,
    Client,
    connect,
    packet,
    publish,
    subscribe,
    text,
)

OTHER = f"{ROOT}/n2/counts"


@pytest.mark.parametrize(
    "data",
    (
        b"\x00\x00",
        b"\xf0\x00",
        packet(0x10, b"HTTP/1.1 200"),
        packet(0x10, text("MQIsdp") + b"\3\2\0\x3c" + text("n1")),
        packet(0x10, text("MQTT") + b"\4\xc2\0\x3c" + text("n1") + b"\0\x05ab"),
        packet(0x10, text("MQTT") + b"\4\x04\0\x3c" + text("n1")),
        b"\x10\xff\xff\xff\xff\x01",
        b"\x10\xff\xff\xff\x7f",
        publish(OWN, b"before CONNECT"),
        b"\xc0\x00",
    ),
)
def test_garbage_instead_of_connect_ends_the_connection(data: bytes) -> None:
    client = Client(Broker(ROOT), hello=data)
    assert client.got == [] and client.ended == [104]


@pytest.mark.parametrize(
    "data",
    (
        connect(),
        packet(0x30, b""),
        packet(0x30, b"\0\x50short"),
        packet(0x30, text(b"\xff\xfe") + b"x"),
        packet(0x34, text(OWN) + b"\0\x01x"),
        publish(f"{ROOT}/n1/+", b"x"),
        publish(f"{ROOT}/n1/#", b"x"),
        packet(0x82, b"\0\x01" + text("a/b")),
        packet(0x82, b"\0\x01" + text(b"\xff") + b"\1"),
        packet(0x82, b"\0\x01"),
        packet(0x60, b"\0\x01"),
        b"\xf0\x00",
    ),
)
def test_garbage_behind_connect_ends_the_connection(data: bytes) -> None:
    broker = Broker(ROOT)
    client = Client(broker)
    client.send(data)
    assert client.ended == [104]
    assert client.send(publish(OWN, b"later")) == [] and broker.acknowledged == []


def test_a_qos_1_message_without_its_number_is_garbage() -> None:
    client = Client(Broker(ROOT))
    client.send(packet(0x32, text(OWN)))
    assert client.got == [] and client.ended == [104]


@given(st.binary(max_size=60))
@settings(max_examples=120, derandomize=True, deadline=None)
def test_no_bytes_break_the_broker(data: bytes) -> None:
    broker = Broker(ROOT)
    client = Client(broker)
    client.send(data)
    other = Client(broker, "n2")
    assert other.send(publish(OTHER, b"x")) == [b"\x40\x02\0\x01"]
    assert client.ended in ([], [0], [104])


def test_strangers_are_refused_when_there_are_users() -> None:
    broker = Broker(ROOT, {"n1": "secret"})
    for login in (None, ("n1", "wrong"), ("n2", "secret"), ("n1", "")):
        client = Client(broker, hello=connect(login=login, will=(OWN, b"w")))
        assert client.got == [b"\x20\x02\0\x05"] and client.ended == [0]
    assert broker.refused == 4 and broker.sessions == {} and broker.retained == {}
    assert Client(broker, hello=connect(login=("n1", "secret"))).got == [b"\x20\x02\0\0"]


@pytest.mark.parametrize(
    "topic", (OTHER, "tallypost/v2/n1/counts", f"{ROOT}/n1", f"{ROOT}/n11/counts", "x")
)
def test_a_node_cannot_publish_for_another(topic: str) -> None:
    broker, heard = Broker(ROOT), []
    broker.attach(lambda _t, topic, _p: heard.append(topic))
    client = Client(broker)
    assert client.send(publish(topic, b"x", flags=1)) == [b"\x40\x02\0\x01"]
    assert client.send(publish(topic, b"x", 0)) == []
    assert heard == [] and broker.retained == {}
    assert [a.allowed for a in broker.acknowledged] == [False] and client.ended == []


def test_a_node_cannot_leave_a_last_will_for_another() -> None:
    broker, heard = Broker(ROOT), []
    broker.attach(lambda _t, topic, _p: heard.append(topic))
    Client(broker, hello=connect(will=(OTHER, b"forged"))).link.shut(1, 0)
    assert heard == [] and broker.retained == {}


def test_a_node_cannot_listen_to_another() -> None:
    broker = Broker(ROOT)
    client = Client(broker)
    client.send(subscribe(f"{ROOT}/n2/cmd"), subscribe(f"{ROOT}/+/ack"))
    broker.publish(1, f"{ROOT}/n1/ack", b"yours", 1, False)
    assert client.got[-1] == publish(f"{ROOT}/n1/ack", b"yours", 1)
    client.got.clear()
    broker.publish(1, f"{ROOT}/n2/cmd", b"not yours", 1, False)
    broker.publish(1, f"{ROOT}/n2/ack", b"not yours", 1, False)
    assert client.got == []


def test_a_node_cannot_read_the_retained_message_of_another() -> None:
    broker = Broker(ROOT)
    Client(broker, "n2").send(subscribe(f"{ROOT}/n2/cmd"))
    broker.publish(1, f"{ROOT}/n2/cmd", b"not yours", 1, True)
    thief = Client(broker, "n1", connect("n2"))
    assert thief.send(subscribe(f"{ROOT}/#")) == [b"\x90\x03\0\x07\x01"]
    broker.publish(1, f"{ROOT}/n2/cmd", b"not yours", 1, True)
    assert len(thief.got) == 1


def test_a_last_will_without_a_whole_connect_is_none() -> None:
    broker = Broker(ROOT)
    hello = packet(0x10, text("MQTT") + b"\4\xa4\0\x3c" + text("n1") + text(OWN) + text("w"))
    assert Client(broker, hello=hello).ended == [104] and broker.retained == {}


def test_a_packet_has_a_largest_size() -> None:
    client = Client(Broker(ROOT))
    client.send(b"\x30" + b"\x81\x80\x10")  # 256 KiB and one byte announced
    assert client.ended == [104]
    fits = Client(Broker(ROOT))
    assert fits.send(publish(OWN, bytes(100_000))) == [b"\x40\x02\0\x01"]
