"""Packages of the Alliance: clock on port 202 (TS003), certification on port 224 (TS009)."""

import struct

from lorawan_node import Node

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from lorawan.device.packages import Certification, Clock

SECOND = 1_000_000
GPS = 1_400_000_000


def answer(clock, server_s, token=None, now=0):
    """The node's result of an AppTimeAns to its request, which the server had at `server_s`."""
    asked = clock.next_message(now)
    number, device_s, param = struct.unpack("<BIB", asked)
    assert number == 1 and param & 0x10
    clock.tx_done(now)
    token = param & 15 if token is None else token
    return clock.handle(struct.pack("<BiB", 1, server_s - device_s, token), now + 2 * SECOND)


def test_the_clock_follows_the_correction():
    clock = Clock()
    assert answer(clock, GPS, now=100 * SECOND) == (b"", GPS + 2)
    assert clock.device_s(200 * SECOND) == GPS + 100
    assert answer(clock, GPS + 96, now=200 * SECOND) == (b"", GPS + 98), "backwards as well"


def test_a_request_that_had_to_wait_for_the_air_is_no_error_of_the_clock():
    clock = Clock()
    device_s = struct.unpack("<BIB", clock.next_message(10 * SECOND))[1]
    clock.tx_done(70 * SECOND)
    clock.tx_done(75 * SECOND)  # sent once more: the server takes the first
    correction = GPS + 70 - device_s
    assert clock.handle(struct.pack("<BiB", 1, correction, 0), 80 * SECOND)[1] == GPS + 80


def test_each_answer_has_its_token_and_counts_once():
    clock = Clock()
    assert answer(clock, GPS, token=5) == (b"", None) and clock.refused == 1
    assert answer(clock, GPS)[1] == GPS + 2
    assert struct.unpack("<BIB", clock.next_message(0))[2] == 0x11, "the next token"
    assert clock.handle(struct.pack("<BiB", 1, 77, 1), 0) == (b"", None), "it was not sent yet"
    assert clock.refused == 2 and clock.device_s(0) == GPS
    for _ in range(15):
        answer(clock, GPS)
    assert struct.unpack("<BIB", clock.next_message(0))[2] == 0x10, "after 15 comes 0"


def test_the_clock_package_answers_version_and_period_requests():
    clock = Clock()
    answered, gps_s = clock.handle(b"\0\2\3", 50 * SECOND)
    assert answered == b"\0\1\2" + b"\2\0" + struct.pack("<I", 50) and gps_s is None
    period_s = 128 << 3
    assert clock.due_us == (50 + period_s) * SECOND
    assert not clock.poll(clock.due_us - 1)
    assert clock.poll((50 + period_s) * SECOND)
    assert clock.due_us == (50 + 2 * period_s) * SECOND


def test_a_forced_resync_ends_with_the_first_answer():
    clock = Clock()
    assert clock.handle(b"\3\3", SECOND) == (b"", None)
    asked, now = [], SECOND
    while clock.due_us is not None:
        now = clock.due_us
        asked.append(now // SECOND)
        assert clock.poll(now)
    assert asked == [1, 41, 81]
    clock.handle(b"\3\7", now)
    clock.poll(now)
    clock.next_message(now)
    clock.tx_done(now)
    clock.handle(struct.pack("<BiB", 1, 5, 0), now)
    clock.poll(clock.due_us)
    assert clock.due_us is None
    assert clock.handle(b"\3\0", now) == (b"", None) and clock.due_us is None


def test_a_wrong_message_is_counted_and_ends_the_processing():
    for data in (b"\4", b"\xff\0", b"\1\0\0\0\0", b"\2", b"\3", b"\0\x55"):
        clock = Clock()
        answered, gps_s = clock.handle(data, 0)
        assert clock.refused == 1 and gps_s is None and clock.due_us is None, data
        assert answered == (b"\0\1\2" if data[0] == 0 else b"")
    assert Clock().handle(b"", 0) == (b"", None)


class Tested:
    """A device that is switched to certification."""

    def __init__(self):
        self.node = Node()
        self.mac = self.node.mac
        self.joins, self.resets = [], []
        self.mac.certification = True
        self.package = Certification(
            self.mac, b"\0\1\0\0", lambda: self.joins.append(1), self.resets.append
        )

    def ask(self, data, now=0):
        return self.package.handle(data, now)


def test_certification_answers_versions_and_echoes_payloads():
    tested = Tested()
    assert tested.ask(b"\0") == b"\0\6\1"
    assert tested.ask(b"\x7f") == b"\x7f" + b"\0\1\0\0" + b"\1\0\4\0" + b"\2\1\0\4"
    assert tested.ask(b"\x08\0\x7f\xff") == b"\x08\1\x80\0"
    assert tested.ask(b"\x08" + bytes(100)) == b"\x08" + b"\1" * 50, "as much as fits"


def test_certification_counts_frames_of_the_application():
    tested = Tested()
    node = tested.node
    for more, counted in (
        ({"port": 1, "payload": b"x"}, 1), ({"control": 0x20}, 2), ({}, 2),
        ({"port": 0, "payload": b"\6"}, 2), ({"port": 224, "payload": b"\x09"}, 3),
    ):  # fmt: skip
        node.send(rx1=node.downlink(**more))
        assert tested.ask(b"\x09") == b"\x09" + struct.pack("<H", counted)
    assert tested.ask(b"\x0a") is None and tested.ask(b"\x09") == b"\x09\0\0"


def test_certification_puts_mac_requests_into_the_next_uplink():
    tested = Tested()
    assert tested.ask(b"\x20") == tested.ask(b"\x21") == b"", "a frame is wanted"
    assert tested.node.send().options() == bytes((LINK_CHECK, DEVICE_TIME))


def test_certification_changes_adr_and_confirmation():
    tested = Tested()
    assert tested.ask(b"\4\0") is None and not tested.mac.session.adr
    assert tested.ask(b"\4\1") is None and tested.mac.session.adr
    assert tested.ask(b"\7\2") is None and tested.package.confirmed
    assert tested.ask(b"\7\0\5\5") is None and tested.package.confirmed, "no change"
    assert tested.ask(b"\7\1") is None and not tested.package.confirmed
    assert tested.ask(b"\3\0") is None and tested.package.refused == 0, "it is class A"


def test_frames_do_not_wait_for_a_sub_band_without_limits():
    tested = Tested()
    node, began = tested.node, []
    tested.mac.set_adr(False, 0)
    for off in (False, True):
        if off:
            tested.ask(b"\5\0")
        for _ in range(40):
            node.send(bytes(51))
        began.append(node.now // SECOND)
    assert began[0] > 3600 and began[1] - began[0] < 40 * 8
    tested.ask(b"\5\1")
    node.send(bytes(51))
    assert node.now // SECOND > began[1] + 60


def test_certification_sends_a_frame_each_period():
    tested = Tested()
    assert tested.ask(b"\6\1", 7 * SECOND) is None
    package = tested.package
    assert package.due_us == 12 * SECOND and not package.poll(12 * SECOND - 1)
    assert package.poll(12 * SECOND) and package.due_us == 17 * SECOND
    assert package.next_message(12 * SECOND) == b"\x09\0\0"
    tested.ask(b"\6\x0a", 0)
    assert package.due_us == 480 * SECOND
    assert tested.ask(b"\6\0") is None and package.due_us is None


def test_certification_orders_a_join_a_restart_and_the_end_of_its_port():
    tested = Tested()
    assert tested.ask(b"\2") is None and tested.joins == [1]
    assert tested.ask(b"\1") is None and tested.resets == [False]
    assert tested.ask(b"\x7e") is None and tested.resets == [False, True]
    assert not tested.mac.is_port(224)


def test_an_unknown_message_or_a_wrong_length_changes_nothing():
    tested = Tested()
    wrong = (
        b"", b"\0\0", b"\1\0", b"\2\2", b"\3", b"\3\1", b"\4\2", b"\5", b"\5\7", b"\6\x0b",
        b"\7", b"\x09\0", b"\x0b", b"\x22\0", b"\x7d\0\0\0\0\0\0", b"\x7e\0", b"\xff",
    )  # fmt: skip
    for number, data in enumerate(wrong):
        assert tested.ask(data) is None and tested.package.refused == number + 1, data
    assert tested.joins == tested.resets == [] and tested.package.due_us is None
    assert tested.mac.session.adr and tested.mac.certification
