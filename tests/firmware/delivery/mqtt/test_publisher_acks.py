# heap: 2m
"""Records are kept until confirmed, sent again on request, and reported when they are lost."""

import random
import struct

from nor import Nor
from ring import INTERVAL, Ring
from publisher_node import UTC, Fast, Node, refused


def test_an_acknowledgement_moves_the_cursor_and_never_back():
    node = Node(10)
    node.run()
    node.ack(7)
    assert node.ring.cursor(0) == (10, 7) and node.uplink.queue_depth() == 3
    node.ack(4)
    node.ack(7)
    assert node.ring.cursor(0) == (10, 7)
    node.ack(10)
    assert node.ring.cursor(0) == (10, 10) and node.uplink.queue_depth() == 0


def test_a_confirmed_record_need_not_be_sent():
    node = Node(10)
    node.ack(6)
    assert node.run().numbers() == [7, 8, 9, 10]


def test_an_acknowledgement_of_another_log_or_of_the_future_is_refused():
    node = Node(5)
    assert "log" in refused(node.ack, 3, node.ring.log_id ^ 1)
    assert "newest is 5" in refused(node.ack, 6)
    assert "newest is 5" in refused(node.ack, 1 << 40)
    assert "-1" in refused(node.ack, -1)
    assert node.ring.cursor(0) == (0, 0) and node.uplink.queue_depth() == 5


def test_garbage_is_refused_as_an_acknowledgement():
    node = Node(5)
    for payload in (b"", b"{", b"\xff\xff", b"[]", b"12", b'{"v":1}', b'{"v":1,"log":"x"}'):
        refused(node.uplink.acknowledge, payload)
    assert node.ring.cursor(0) == (0, 0)


def test_a_spoilt_acknowledgement_confirms_no_future_record():
    random.seed(19)
    node = Node(5)
    for _ in range(600):
        payload = bytearray(b'{"v":1,"log":"%08x","seq":3}' % node.ring.log_id)
        for _ in range(random.randrange(1, 4)):
            at = random.randrange(len(payload))
            payload[at] = random.getrandbits(8) if at % 2 else b'{}[]",:0-e9'[at % 11]
        try:
            node.uplink.acknowledge(bytes(payload))
        except ValueError:
            pass
        assert node.ring.cursor(0)[1] <= 5


def test_the_queue_counts_records_that_the_broker_or_the_backend_lacks():
    node = Node(8)
    assert node.uplink.queue_depth() == 8
    node.run()
    assert node.uplink.queue_depth() == 0, "no backend has confirmed: the broker decides"
    node.ack(0)
    assert node.uplink.queue_depth() == 8, "now the backend decides"


def test_without_a_confirming_backend_nothing_is_sent_twice():
    node = Node(5)
    assert node.run().numbers() == [1, 2, 3, 4, 5]
    assert node.uplink.retransmissions == 0


def test_records_are_retransmitted_when_their_confirmation_stays_away():
    node = Node(5)
    node.ack(2)
    link = node.run(rests=2)
    assert node.uplink.retransmissions == 1
    assert link.numbers() == [3, 4, 5, 3, 4, 5]


def test_the_ack_timeout_doubles_up_to_an_hour_until_a_confirmation_resets_it():
    node = Node(3)
    node.ack(1)
    node.run(rests=7)
    waits = Fast.waits
    assert waits[:7] == [120, 240, 480, 960, 1920, 3600, 3600], waits
    node.ack(2)
    Fast.waits = []
    node.run()
    assert Fast.waits[0] == 120


def test_new_records_do_not_put_off_the_retransmission():
    node = Node(5)
    node.ack(2)

    def later():
        node.clock.go(100)
        node.add()
        node.uplink.wake()

    node.run(then=later)
    assert Fast.waits == [120, 20], Fast.waits


def test_a_confirmation_in_time_prevents_the_repetition():
    node = Node(5)
    node.ack(1)
    node.link.during = lambda: node.ack(node.link.numbers()[-1])
    link = node.run()
    assert link.numbers() == [2, 3, 4, 5] and node.uplink.retransmissions == 0


def test_a_confirmation_while_a_message_is_on_its_way_is_not_undone():
    node = Node(30, 1024)
    node.link.during = lambda: node.ack(30)
    node.run()
    assert node.ring.cursor(0) == (30, 30)
    assert node.link.numbers()[-1] < 30, "a record confirmed meanwhile is not sent"


def test_a_range_is_sent_again_on_request():
    node = Node(10)
    node.run()
    node.link.messages.clear()
    assert node.uplink.resend(3, 6) == (3, 6)
    assert node.run().numbers() == [3, 4, 5, 6]
    assert node.ring.cursor(0) == (10, 0)


def test_a_single_record_and_the_whole_log_can_be_asked_for():
    for first, last in ((1, 1), (10, 10), (1, 10)):
        node = Node(10)
        node.run()
        node.link.messages.clear()
        node.uplink.resend(first, last)
        assert node.run().numbers() == list(range(first, last + 1))


def test_a_request_wakes_a_resting_publisher_and_survives_a_lost_link():
    node = Node(4)

    def later():
        node.link.fails = 2
        node.uplink.resend(2, 3)

    assert node.run(then=later).numbers() == [1, 2, 3, 4, 2, 3]


def test_a_request_during_another_waits_for_its_turn():
    node = Node(10)
    node.run()
    node.link.messages.clear()
    node.uplink.resend(3, 4)

    def more():
        node.link.during = None
        node.uplink.resend(1, 2)
        node.uplink.resend(9, 10)

    node.link.during = more
    assert node.run().numbers() == [3, 4, 1, 2, 9, 10]


def test_more_requests_than_can_wait_are_refused():
    node = Node(10)
    node.run()
    node.link.messages.clear()
    for seq in range(1, 9):
        node.uplink.resend(seq, seq)
    assert "8 ranges are waiting" in refused(node.uplink.resend, 9, 9)
    assert node.run().numbers() == list(range(1, 9))


def test_a_bad_range_is_refused():
    node = Node(10)
    for first, last in ((0, 1), (-1, 3), (5, 4), (1, 11), (11, 12), (1, 1 << 40), (1, 20_002)):
        assert "resend" in refused(node.uplink.resend, first, last)
    assert node.run().numbers() == list(range(1, 11))


def test_overwritten_records_are_reported_as_gone():
    node = Node(400, blocks=16)
    first = node.ring.first_seq
    assert first > 1
    link = node.run()
    gone = link.events()[0]
    assert (gone["event"], gone["from"], gone["to"]) == ("gone", 1, first - 1)
    assert link.messages[0][0] == "event" and len(link.events()) == 1
    assert link.numbers() == list(range(first, 401))


def test_a_request_for_lost_records_returns_the_held_ones():
    node = Node(400, blocks=16)
    node.ack(400)
    first = node.ring.first_seq
    assert node.uplink.resend(1, first + 2) == (first, first + 2)
    link = node.run()
    assert [(body["from"], body["to"]) for body in link.events()] == [(1, first - 1)]
    assert link.numbers() == [first, first + 1, first + 2]


def test_an_unreadable_record_is_reported_and_skipped():
    node = Node(3)
    node.ring.append(INTERVAL, b"\x09 not a record of this version at all")
    node.ring.append(INTERVAL, b"\x01 cut")
    node.add(3)
    link = node.run()
    (gone,) = link.events()
    assert (gone["event"], gone["from"], gone["to"]) == ("gone", 4, 5)
    assert link.numbers() == [1, 2, 3, 6, 7, 8]
    assert [name for name, _body in link.messages] == ["counts", "event", "counts"]


def test_records_in_damaged_flash_are_reported_as_gone():
    flash = Nor(24)
    random.seed(9)
    ring = Ring(flash, random.getrandbits)
    ring.open()
    node = Node()
    node.ring = ring
    node.add(6)
    at = flash.cells.find(bytes((1,)) + struct.pack("<I", UTC + 1))
    assert at < 0
    node.add(1, UTC + 1)
    node.add(3)
    at = flash.cells.find(bytes((1,)) + struct.pack("<I", UTC + 1))
    flash.cells[at + 2] ^= 0xFF
    node.restart()
    link = node.run()
    missing = set(range(1, 11)) - set(link.numbers())
    assert 7 in missing
    announced = set()
    for body in link.events():
        announced |= set(range(body["from"], body["to"] + 1))
    assert announced == missing
