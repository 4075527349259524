"""The session across resets and power cuts: no counter twice, no downlink twice."""

from lorawan_node import ADDR, NWK_KEY, REGION, Node, Store, freq3, identity, join_accept, refused

from lorawan.mac_core import DOWNLINK, OVER, SENT
from lorawan.session import Session, unpack

APP_SKEY = b"A" * 16


def _again(store, recent=None):
    node = Node(store, session=False)
    assert node.mac.restore(0, recent)
    return node


def test_after_a_power_cut_the_counter_jumps_to_one_that_was_not_used():
    store = Store()
    node = Node(store)
    for _ in range(3):
        last = node.send().fcnt()
    again = _again(store)
    first = again.send().fcnt()
    assert last < first <= 64
    assert _again(store).send().fcnt() > first  # and again, although nothing was counted


def test_the_store_is_written_every_64_frames():
    node = Node()
    for _ in range(130):
        node.send()
    sessions = [name for name, _data in node.store.writes if name == "session"]
    assert len(sessions) == 3  # before frame 0, 64 and 128


def test_a_session_from_rtc_memory_goes_on_without_a_jump():
    store = Store()
    node = Node(store)
    for _ in range(5):
        node.send()
    again = _again(store, node.mac.snapshot())
    assert again.send().fcnt() == 5


def test_rtc_memory_that_is_older_than_the_store_is_not_used():
    store = Store()
    node = Node(store)
    node.send()
    old = node.mac.snapshot()
    for _ in range(70):
        node.send()
    assert _again(store, old).send().fcnt() >= 71
    node.send(rx1=node.downlink())
    old = node.mac.snapshot()
    node.send(rx1=node.downlink())
    again = _again(store, old)
    assert again.mac.session.fcnt_down == 2  # the second downlink stays refused


def test_rtc_memory_of_another_session_is_not_used():
    store = Store()
    Node(store).send()
    other = Node(session=False)
    other.mac.personalise(ADDR + 1, NWK_KEY, APP_SKEY)
    assert _again(store, other.mac.snapshot()).mac.session.addr == ADDR


def test_a_downlink_cannot_be_replayed_after_a_power_cut():
    store = Store()
    node = Node(store)
    order = node.downlink(port=9, payload=b"open")
    node.send(rx1=order)
    again = _again(store)
    again.send(rx1=order)
    assert again.events() == [(SENT, None, 1)]
    assert again.mac.health()["refused"] == {"replay": 1}


def test_every_field_of_a_session_is_restored():
    store = Store()
    node = Node(store)
    node.obey(
        b"\3\x52\7\0\2" + b"\4\3" + b"\5\x13" + freq3(869_400_000)
        + b"\7\3" + freq3(867_100_000) + b"\x50" + b"\x08\4" + b"\x0a\1" + freq3(869_500_000)
    )  # fmt: skip
    node.send(rx1=node.downlink(mhdr=0xA0))
    session = node.mac.session
    for recent in (None, node.mac.snapshot()):
        again = _again(store, recent).mac.session
        names = (
            "addr", "keys", "fcnt_down", "rx1_offset", "rx2_hz", "rx2_rate", "rx1_delay_s", "rate",
            "power", "nb_trans", "max_duty", "adr", "ack", "adr_ack_count", "answers",
        )  # fmt: skip
        for name in names:
            assert getattr(again, name) == getattr(session, name), name
        assert list(again.channels.freq) == list(session.channels.freq)
        assert list(again.channels.down) == list(session.channels.down)
        assert again.channels.rates == session.channels.rates
        assert again.channels.mask == session.channels.mask


def test_airtime_comes_back_from_rtc_memory():
    node = Node()
    for _ in range(10):
        node.send()
    again = Node(node.store, session=False)
    assert again.mac.restore(0, node.mac.snapshot())
    airtime = unpack(REGION, node.mac.snapshot())[1]
    assert unpack(REGION, again.mac.snapshot())[1] == airtime and max(airtime) > 0


def test_a_damaged_session_is_refused_and_counted():
    store = Store()
    Node(store).send()
    good = store.items["session"]
    for at in range(len(good)):
        store.items["session"] = good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]
        node = Node(store, session=False)
        assert not node.mac.restore(0)
        assert node.mac.health()["store"] == 1
    for size in range(len(good)):
        refused(unpack, REGION, good[:size])


def test_a_session_of_another_table_is_refused():
    for name, value in (
        ("rate", 7), ("rx2_rate", 12), ("rx1_offset", 6), ("rx1_delay_s", 0), ("power", 8),
        ("nb_trans", 0), ("rx2_hz", 915_000_000),
    ):  # fmt: skip
        session = Session(REGION, ADDR, NWK_KEY, APP_SKEY)
        setattr(session, name, value)
        assert refused(unpack, REGION, session.pack(0, ())) == "session: out of range"
    session = Session(REGION, ADDR, NWK_KEY, APP_SKEY)
    session.channels.freq[1] = 915_000_000
    assert refused(unpack, REGION, session.pack(0, ())) == "session: frequency"


def test_a_frame_waits_until_its_counter_is_stored():
    node = Node()
    node.store.broken = True
    node.mac.send(1, b"x", 0)
    assert node.mac.poll(0) is None and node.mac.wake_us > 0
    node.store.broken = False
    assert node.transmit().fcnt() == 0


def test_a_downlink_is_accepted_although_it_could_not_be_stored():
    node = Node()
    sent = node.send()
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.store.broken = True
    node.listen(sent, rx1=node.downlink(port=2, payload=b"y"))
    assert node.events()[1][0] == DOWNLINK
    assert node.mac.health()["store"] == 1


def test_a_join_whose_session_could_not_be_stored_stores_it_later():
    node = Node(session=False)
    node.mac.join(identity(), 0)
    sent = node.transmit()
    node.store.broken = True
    node.listen(sent, rx1=join_accept())
    assert node.mac.session
    node.store.broken = False
    node.send()
    assert _again(node.store).mac.session.addr == ADDR


def test_personalising_again_keeps_the_counters():
    node = Node()
    node.send()
    node.mac.personalise(ADDR, NWK_KEY, APP_SKEY)
    assert node.send().fcnt() == 1
    again = _again(node.store)
    again.mac.personalise(ADDR, NWK_KEY, APP_SKEY)
    assert again.send().fcnt() >= 2
    again.mac.personalise(ADDR + 1, NWK_KEY, APP_SKEY)
    assert again.send().fcnt() == 0


def test_the_end_of_the_counter_ends_the_session():
    node = Node()
    node.mac.session.fcnt_up = 0xFFFFFFBF
    assert node.send().fcnt() == 0xFFBF
    node.events()
    node.mac.send(1, b"x", node.now)
    assert node.transmit() is None
    assert node.events() == [(OVER, "counter")]
    assert node.mac.session is None


def test_the_counter_goes_on_beyond_sixteen_bits():
    node = Node()
    node.mac.session.fcnt_up = 0xFFFF
    assert [node.send().fcnt() for _ in range(2)] == [0xFFFF, 0]
    assert node.mac.session.fcnt_up == 0x10001
