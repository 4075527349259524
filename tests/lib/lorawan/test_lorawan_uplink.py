"""Contents, repetitions and flags of an uplink (TS001-1.0.4, 4.3 and 5)."""

from lorawan_node import SECOND, Node, downlink, freq3, refused

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from lorawan.frames import ACK, ADR, ADR_ACK_REQ, PENDING
from lorawan.mac import NotReady
from lorawan.mac_core import DOWNLINK, SENT, TIME, TOO_LONG

LINK_CHECK_ANS = "link_check"
SF12_7 = {12: 0, 11: 1, 10: 2, 9: 3, 8: 4, 7: 5}


def _link_adr(rate, mask=7, nb_trans=1, power=0):
    return bytes((3, rate << 4 | power, mask, 0, nb_trans))


def test_an_unconfirmed_frame_is_sent_once_and_reported():
    node = Node()
    sent = node.send(b"hi", 7)
    assert sent.data[0] == 0x40 and sent.port() == 7 and sent.fcnt() == 0
    assert node.events() == [(SENT, None, 1)]
    assert node.send().fcnt() == 1


def test_a_frame_that_is_not_answered_is_repeated_nb_trans_times():
    node = Node()
    node.obey(_link_adr(5, 7, 3))
    node.mac.send(2, b"abc", node.now)
    sent = [node.exchange()[0] for _ in range(3)]
    assert node.transmit() is None
    assert len({frame.data for frame in sent}) == 1  # the same counter, the same bytes
    assert all(a.freq != b.freq for a, b in zip(sent, sent[1:]))  # hopping (4.3.1.3)
    assert node.events() == [(SENT, None, 3)]


def test_a_downlink_ends_the_repetitions():
    for confirmed in (False, True):
        node = Node()
        node.obey(_link_adr(5, 7, 3))
        node.mac.send(2, b"abc", node.now, confirmed)
        node.exchange()
        node.exchange(rx1=node.downlink(control=ACK if confirmed else 0))
        assert node.transmit() is None
        assert node.events() == [(SENT, True if confirmed else None, 2)]


def test_a_confirmed_frame_is_acknowledged_or_not():
    node = Node()
    assert node.send(confirmed=True, rx1=node.downlink(control=ACK)).data[0] == 0x80
    assert node.events() == [(SENT, True, 1)]
    node.send(confirmed=True)
    assert node.events() == [(SENT, False, 1)]
    node.send(confirmed=True, rx1=node.downlink())  # a downlink that does not acknowledge
    assert node.events() == [(SENT, False, 1)]


def test_the_pause_before_the_next_frame_is_one_to_three_seconds_after_rx2():
    for seed in range(20):
        node = Node(seed=seed)
        sent = node.send(confirmed=True)
        node.mac.send(1, b"y", node.now)
        pause = node.transmit().begin - sent.end - 2 * SECOND
        assert SECOND <= pause <= 3 * SECOND


def test_the_next_frame_waits_until_rx2_is_over():
    node = Node()
    sent = node.send()
    node.mac.send(1, b"y", node.now)
    assert node.transmit().begin >= sent.end + 2 * SECOND


def test_a_confirmed_downlink_is_acknowledged_in_the_next_frame_only():
    node = Node()
    node.send(rx1=node.downlink(port=4, payload=b"do", mhdr=0xA0))
    assert node.mac.wants_uplink()
    assert node.events() == [(DOWNLINK, 4, b"do", -80, 7), (SENT, None, 1)]
    assert node.send().control() & ACK
    assert not node.mac.wants_uplink()
    assert not node.send().control() & ACK


def test_a_pending_downlink_asks_for_an_uplink():
    node = Node()
    node.send(rx1=node.downlink(control=PENDING))
    assert node.mac.pending and node.mac.wants_uplink()
    node.send(b"", None)
    assert not node.mac.wants_uplink()


def test_an_answer_is_sent_once_unless_it_moves_the_downlinks():
    """5: RXParamSetupAns, RXTimingSetupAns and DlChannelAns until a downlink comes in."""
    sticky = (
        (b"\5\x10" + freq3(869_525_000), b"\5\7"), (b"\x08\2", b"\x08"),
        (b"\x0a\0" + freq3(869_525_000), b"\x0a\3"),
    )  # fmt: skip
    for request, answer in sticky:
        node = Node()
        node.obey(request + b"\6")
        assert node.send().options() == answer + b"\6\xff\7"
        assert node.send().options() == answer
        assert node.send(rx1=node.downlink()).options() == answer
        assert node.send().options() == b""


def test_link_check_and_device_time_are_requested_once_and_answered():
    node = Node()
    node.mac.queue_request(LINK_CHECK)
    node.mac.queue_request(DEVICE_TIME)
    node.mac.queue_request(DEVICE_TIME)
    answer = b"\2\x0a\2" + b"\x0d\x10\x27\0\0\x40"
    sent = node.send(rx1=node.downlink(options=answer))
    assert sent.options() == b"\2\x0d"
    assert node.events() == [
        (LINK_CHECK_ANS, 10, 2),
        (TIME, 10_000, 0x40, sent.end),
        (SENT, None, 1),
    ]
    assert node.send().options() == b""


def test_answers_come_before_requests_and_these_before_the_payload():
    node = Node()
    node.obey(b"\6" * 5)
    node.mac.queue_request(LINK_CHECK)
    sent = node.send(b"pay")
    assert sent.options() == b"\6\xff\7" * 5 and sent.port() == 1  # 15 bytes are full
    assert node.send().options() == b"\2"


def test_more_answers_than_options_hold_get_a_frame_on_port_zero():
    node = Node()
    node.obey(b"\6" * 6)
    node.mac.send(3, b"pay", node.now)
    first, _ = node.exchange()
    assert first.port() == 0 and not first.options() and len(first.data) == 13 + 18
    assert node.events() == []
    second, _ = node.exchange()
    assert second.port() == 3 and second.fcnt() == first.fcnt() + 1
    assert node.events() == [(SENT, None, 1)]


def test_an_empty_frame_takes_any_number_of_answers_with_it():
    node = Node()
    node.obey(b"\6" * 6)
    assert node.send(b"", None).port() == 0
    assert node.events() == [(SENT, None, 1)]
    assert node.transmit() is None


def test_answers_that_leave_no_room_for_the_payload_go_first():
    node = Node()
    node.obey(b"\x08\2" + b"\6")
    payload = bytes(49)  # 51 fit at DR0, the answers have 4
    node.mac.send(3, payload, node.now)
    first, _ = node.exchange()
    assert first.port() is None and first.options() == b"\x08\6\xff\7"
    second, _ = node.exchange()  # what has to be repeated gives way, but only if it must
    assert second.port() == 3 and second.options() == b"\x08"
    node.mac.send(3, bytes(51), node.now)
    assert [node.exchange()[0].port() for _ in range(2)] == [None, 3]


def test_answers_are_cut_at_a_whole_one_where_a_frame_is_full():
    node = Node()
    node.obey(b"", port=0, payload=b"\6" * 30)  # 90 bytes of answers, 51 fit
    sent = node.send(b"", None)
    assert sent.port() == 0 and len(sent.data) == 13 + 51


def test_impossible_sends_are_refused_at_once():
    node = Node()
    mac = node.mac
    assert "52 of 51" in refused(mac.send, 1, bytes(52), 0)
    for port in (0, 224, 225, 255, -1):
        assert "port" in refused(mac.send, port, b"x", 0)
    refused(mac.send, None, b"x", 0)
    mac.send(1, b"x", 0)
    try:
        mac.send(1, b"y", 0)
        raise AssertionError("two at once")
    except NotReady:
        pass
    try:
        Node(session=False).mac.send(1, b"x", 0)
        raise AssertionError("without a session")
    except NotReady:
        pass


def test_a_device_without_downlinks_backs_off_step_by_step():
    """4.3.1.1, table 9, begun at DR5 with less than the full power."""
    node = Node()
    node.obey(_link_adr(5, 2, 2, 3) + b"\x07\3" + freq3(867_100_000) + b"\x50")
    node.mac.session.channels.mask = 10
    for number in range(320):
        node.mac.send(1, b"x", node.now)
        sent, _ = node.exchange()
        if number < 288:
            assert node.exchange()[0].data == sent.data  # NbTrans 2
        rate = 5 - max(0, min(number - 96, 160) // 32)
        assert SF12_7[sent.sf] == rate, number
        assert bool(sent.control() & ADR_ACK_REQ) == (number >= 64)
        assert sent.control() & ADR
        assert sent.dbm == (14 if number >= 96 else 8)
        assert node.mac.session.channels.mask == (15 if number >= 287 else 10)
    assert node.mac.session.nb_trans == 1


def test_any_downlink_ends_the_back_off():
    node = Node()
    node.obey(_link_adr(5))
    for _ in range(70):
        sent = node.send()
    assert sent.control() & ADR_ACK_REQ
    node.send(rx1=node.downlink())
    assert not node.send().control() & ADR_ACK_REQ


def test_a_data_rate_that_does_not_exist_is_refused_and_nothing_changes():
    node = Node()
    for rate in (7, 15, -1):
        assert refused(node.mac.set_adr, False, rate) == "data rate %d, 0..6" % rate
    assert node.mac.session.adr and node.mac.session.rate == 0


def test_without_adr_there_is_no_back_off_and_the_rate_is_the_devices():
    node = Node()
    node.mac.set_adr(False, 3)
    for _ in range(130):
        sent = node.send()
    assert SF12_7[sent.sf] == 3
    assert not sent.control() & (ADR | ADR_ACK_REQ)


def test_a_payload_that_has_become_too_long_is_given_back():
    node = Node()
    node.obey(_link_adr(3))
    node.obey(b"\6" * 6)  # the answers go first, and bring a lower data rate
    node.mac.send(1, bytes(115), node.now)
    first, _ = node.exchange(rx1=node.downlink(options=_link_adr(2)))
    assert first.port() == 0
    assert node.transmit() is None
    assert node.events() == [(TOO_LONG, 51)]
    sent = node.send(bytes(40))
    assert SF12_7[sent.sf] == 2 and sent.fcnt() == first.fcnt() + 1


def test_the_back_off_tells_before_a_payload_is_too_long():
    node = Node()
    node.obey(_link_adr(3))
    node.mac.session.adr_ack_count = 127
    assert SF12_7[node.send(bytes(113)).sf] == 3
    assert node.mac.max_payload() == 51
    refused(node.mac.send, 1, bytes(52), node.now)
    assert SF12_7[node.send(bytes(51)).sf] == 2


def test_the_channels_are_all_used_before_one_is_used_again():
    node = Node()
    node.obey(b"\x07\3" + freq3(867_100_000) + b"\x50" + b"\x07\4" + freq3(867_300_000) + b"\x50")
    node.obey(_link_adr(5, 31))
    node.mac.session.channels.mask = 31
    node = Node(node.store, session=False)
    node.mac.restore(0)
    sent = [node.send().freq for _ in range(50)]
    for first in range(0, 50, 5):
        assert len(set(sent[first : first + 5])) == 5
    assert all(a != b for a, b in zip(sent, sent[1:]))


def test_a_frame_that_is_too_long_for_its_data_rate_is_dropped():
    node = Node()  # DR0: 59 bytes of MACPayload
    node.send(rx1=downlink(0, port=1, payload=bytes(51)))
    node.send(rx1=downlink(1, port=1, payload=bytes(52)))
    events = [event[0] for event in node.events()]
    assert events == [DOWNLINK, SENT, SENT]
    assert node.mac.health()["refused"] == {"length": 1}


def test_a_downlink_on_a_port_that_is_not_open_is_counted_and_not_handed_on():
    node = Node()
    for port in (224, 225):
        node.send(rx1=node.downlink(port=port, payload=b"x"))
    assert node.events() == [(SENT, None, 1)] * 2
    assert node.mac.health()["refused"] == {"port": 2}
    node.mac.certification = True
    node.send(rx1=node.downlink(port=224, payload=b"x"))
    assert node.events()[0] == (DOWNLINK, 224, b"x", -80, 7)
