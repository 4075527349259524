"""Joining over the air (TS001-1.0.4, 6.2): requests, answers, numbers that are used once."""

import struct

from lorawan_node import (
    ADDR, APP_KEY, HOUR, REGION, SECOND, Node, Store, freq3, identity, join_accept, refused,
)  # fmt: skip

from lorawan.crypto import Key
from lorawan.mac import NotReady
from lorawan.mac_core import JOIN_FAILED, JOINED, OVER
from lorawan.persistence import Nonces

DEFAULTS = (868_100_000, 868_300_000, 868_500_000)


def _joining(store=None, seed=1):
    node = Node(store, seed, session=False)
    node.mac.join(identity(), 0)
    return node


def _joined(**accept):
    node = _joining()
    node.exchange(rx1=join_accept(**accept))
    return node


def _cf_list(freqs, kind=0):
    return b"".join([freq3(freq) for freq in freqs]) + bytes((kind,))


def test_a_join_request_opens_windows_at_five_and_six_seconds():
    node = _joining()
    sent, windows = node.exchange()
    assert len(sent.data) == 23 and sent.freq in DEFAULTS and sent.dbm == 14
    assert sent.data[1:17] == b"\x08\7\6\5\4\3\2\1\2\0\0\xd0\x7e\xd5\xb3\x70"
    assert struct.unpack_from("<I", sent.data, 19)[0] == Key(APP_KEY).join_mic(sent.data[:19])
    rx1, rx2 = windows
    assert (rx1.freq, rx1.sf) == (sent.freq, sent.sf)
    assert (rx2.freq, rx2.sf) == (869_525_000, 12)
    assert 0 <= sent.end + 5 * SECOND - rx1.open < 20_000
    assert 0 <= sent.end + 6 * SECOND - rx2.open < 20_000


def test_an_answer_in_either_window_makes_a_session():
    for first in (True, False):
        node = _joining()
        accept = join_accept(5)
        sent, _ = node.exchange(accept if first else None, None if first else accept)
        assert node.events() == [(JOINED, ADDR)]
        session = node.mac.session
        assert (session.fcnt_up, session.fcnt_down) == (0, 0)
        assert REGION.modulation(session.rate)[0] == sent.sf
        nonces = b"\5\0\0\x13\0\0" + sent.data[17:19]
        assert session.keys == tuple([Key(APP_KEY).session_key(kind, nonces) for kind in (1, 2)])


def test_a_join_accept_sets_offset_rx2_rate_and_delay():
    session = _joined(settings=0x23, delay=5).mac.session
    assert (session.rx1_offset, session.rx2_rate, session.rx1_delay_s) == (2, 3, 5)
    assert _joined(delay=0).mac.session.rx1_delay_s == 1
    assert _joined(delay=0xF2).mac.session.rx1_delay_s == 2  # the upper half is reserved
    session = _joined(settings=0x7F).mac.session  # neither offset 7 nor DR15 exist here
    assert (session.rx1_offset, session.rx2_rate) == (0, 0)


def test_a_channel_list_adds_five_channels():
    freqs = (867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000)
    channels = _joined(cf_list=_cf_list(freqs)).mac.session.channels
    assert tuple(channels.freq[:8]) == DEFAULTS + freqs
    assert channels.mask == 0xFF and bytes(channels.rates[:8]) == b"\x50" * 8


def test_holes_and_forbidden_frequencies_of_a_channel_list_are_left_out():
    freqs = (867_100_000, 0, 868_650_000, 433_000_000, 867_900_000)
    channels = _joined(cf_list=_cf_list(freqs)).mac.session.channels
    assert channels.mask == 0b10001111
    assert tuple(channels.freq[3:8]) == (867_100_000, 0, 0, 0, 867_900_000)


def test_a_channel_list_of_another_type_is_ignored():
    for kind in (1, 2, 255):  # 1 is the channel masks of regions with fixed channels
        node = _joined(cf_list=b"\xff" * 15 + bytes((kind,)))
        assert node.mac.session.channels.mask == 7
        assert node.events() == [(JOINED, ADDR)]


def test_dev_nonces_count_up_from_zero():
    node = _joining()
    nonces = [struct.unpack_from("<H", node.exchange()[0].data, 17)[0] for _ in range(5)]
    assert nonces == [0, 1, 2, 3, 4]
    assert node.events() == [(JOIN_FAILED, n) for n in range(1, 6)]


def test_a_nonce_is_stored_before_it_is_used():
    store = Store()
    node = _joining(store)
    for number in range(4):
        sent = node.transmit()
        assert Nonces(store).dev_nonce == number + 1  # what a start would find now
        assert struct.unpack_from("<H", sent.data, 17)[0] == number
        node.listen(sent)
        node = _joining(store)  # power cut


def test_a_join_request_waits_while_the_store_is_broken():
    node = _joining()
    node.store.broken = True
    assert node.mac.poll(0) is None
    assert node.mac.wake_us >= 30 * SECOND
    node.now = node.mac.wake_us
    assert node.mac.poll(node.now) is None
    node.store.broken = False
    assert struct.unpack_from("<H", node.transmit().data, 17)[0] == 0
    assert node.mac.health()["store"] == 2


def test_a_join_accept_cannot_be_used_twice():
    store = Store()
    node = _joining(store)
    accept = join_accept(77)
    node.exchange(rx1=accept)
    assert node.events() == [(JOINED, ADDR)]
    again = _joining(store)  # after a restart, too
    again.exchange(rx1=accept)
    assert again.events() == [(JOIN_FAILED, 1)]
    assert again.mac.health()["refused"] == {"nonce": 1}
    again.exchange(rx1=join_accept(76))  # not repeated; that it grows is not required (6.2.6)
    assert again.events() == [(JOINED, ADDR)]


def test_the_last_eight_join_nonces_are_remembered():
    nonces = Nonces(Store())
    for number in range(9):
        nonces.accept(bytes((number, 0, 0)))
    nonces.check(b"\0\0\0")
    for number in range(1, 9):
        assert refused(nonces.check, bytes((number, 0, 0))) == "nonce"


def test_a_foreign_or_damaged_answer_does_not_end_the_join():
    for data in (b"", b"\x20" * 17, join_accept(key=b"x" * 16), b"\x60" + bytes(16), bytes(33)):
        node = _joining()
        sent, windows = node.exchange(rx1=data)
        assert len(windows) == 2  # RX2 is opened all the same (3.3)
        assert node.mac.session is None
        assert node.events() == [(JOIN_FAILED, 1)]


def test_join_requests_use_all_data_rates_and_channels():
    node = _joining()
    sent = [node.exchange()[0] for _ in range(10)]
    assert {frame.sf for frame in sent} == {7, 8, 9, 10, 11, 12}
    assert {frame.freq for frame in sent} == set(DEFAULTS)
    assert all(a.sf != b.sf for a, b in zip(sent, sent[1:]))


def test_join_requests_keep_to_the_back_off():
    """7: below 36 s in the first hour, 36 s in the ten after it, 8.7 s in each day then."""
    node = _joining(seed=3)
    spent = [0, 0, 0, 0]
    last_end, gaps = 0, []
    while True:
        sent = node.transmit()
        hours = sent.begin // HOUR
        if hours >= 11 + 48:
            break
        period = 0 if hours < 1 else 1 if hours < 11 else 2 + (hours - 11) // 24
        spent[period] += sent.toa
        if len(gaps) < 40:
            gaps.append(sent.begin - last_end)
        last_end = sent.end + 6 * SECOND
        node.listen(sent)
    assert spent[0] < 36 * SECOND and spent[1] < 36 * SECOND
    assert spent[2] < 8_700_000 and spent[3] < 8_700_000
    assert min(spent) > 0
    assert len(set(gaps)) == len(gaps)  # random
    assert min(gaps[1:]) > 3 * SECOND


def test_devices_that_start_together_do_not_send_together():
    begins = []
    for seed in range(10):
        node = Node(seed=seed, session=False)
        node.mac.join(identity(), 0, 60 * SECOND)
        begins.append(node.transmit().begin)
    assert len(set(begins)) == 10
    assert max(begins) <= 60 * SECOND and max(begins) - min(begins) > 20 * SECOND


def test_the_last_dev_nonce_ends_the_join():
    store = Store()
    store.write("nonces", struct.pack("<BIB", 1, 0xFFFF, 0))
    node = _joining(store)
    assert struct.unpack_from("<H", node.exchange()[0].data, 17)[0] == 0xFFFF
    assert node.transmit() is None
    assert node.events() == [(JOIN_FAILED, 1), (OVER, "DevNonce")]


def test_damaged_nonces_are_refused_at_start():
    for data in (b"", b"\2" + bytes(5), b"\1\0\0\0\0\1", struct.pack("<BIB", 1, 0x10001, 0)):
        store = Store()
        store.write("nonces", data)
        refused(Node, store)


def test_a_join_can_be_stopped_and_blocks_payloads_until_then():
    node = _joining()
    try:
        node.mac.send(1, b"x", 0)
        raise AssertionError("sent")
    except NotReady:
        pass
    sent = node.transmit()
    node.mac.stop(node.now)
    node.listen(sent, rx1=join_accept())
    assert node.mac.session is None and node.transmit() is None
    assert node.events() == []


def test_a_new_join_keeps_the_old_session_until_it_succeeds():
    node = _joined(addr=1)
    node.mac.join(identity(), node.now)
    node.exchange()
    assert node.mac.session.addr == 1
    node.exchange(rx1=join_accept(2, addr=2))
    assert node.mac.session.addr == 2
    assert node.send().fcnt() == 0
