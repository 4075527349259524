# heap: 2m
"""Signed records. The expected MAC is from the HMAC of CPython."""

from delivery.mqtt.signing import RecordSigner
from mqtt import FrameFull
from mqtt.frame import Frame
from publisher_node import Node

KEY = bytes(range(32))


def _signed(key, text, room=200):
    frame = Frame(room)
    frame.start(b"t", 1)
    start = frame.pos
    frame.write(text)
    RecordSigner(key, "n1", 0x0BADCAFE).sign(frame, start)
    return bytes(frame.written(start)).decode()


def test_the_mac_is_the_hmac_over_node_log_and_text():
    expected = '{"seq":1,"mac":"28879ccc39273a4ddd14f60788501a55"}'
    assert _signed(KEY, '{"seq":1}') == expected


def test_a_mac_that_does_not_fit_leaves_the_message_to_the_caller():
    try:
        _signed(KEY, '{"seq":1}', 40)
    except FrameFull:
        return
    raise AssertionError("it fits")


def test_a_damaged_key_stops_nothing():
    for key in (b"x", bytes(70)):
        assert _signed(key, "{}").startswith('{,"mac":"')


def test_every_interval_and_event_is_signed():
    node = Node(30)
    node.restart(KEY)
    node.uplink.event("start", reset="soft")
    link = node.run()
    assert link.numbers() == list(range(1, 31))
    for name, body in link.messages:
        for rec in body["recs"] if name == "counts" else [body]:
            assert len(rec["mac"]) == 32
    assert max(link.sizes) <= 2048


def test_without_a_key_nothing_is_signed():
    for key in (None, b""):
        node = Node(1)
        node.restart(key)
        ((_name, body),) = node.run().messages
        assert "mac" not in body["recs"][0]
