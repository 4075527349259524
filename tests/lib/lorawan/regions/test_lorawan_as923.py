"""AS923: groups by an offset, dwell time and power by TxParamSetupReq (RP002-1.0.4, 2.10)."""

from lorawan_node import (
    ADDR, APP_SKEY, AS923, NWK_KEY, REGION, Node, Store, freq3, identity, join_accept, refused,
)  # fmt: skip

from lorawan.regions.as923 import Group
from lorawan.commands import Commands
from lorawan.regions.region import Region
from lorawan.session import Session, unpack

RATES = range(7)
EIRP = (8, 10, 12, 13, 14, 16, 18, 20, 21, 24, 26, 27, 29, 30, 33, 36)
NONE, UP, DOWN = 0x05, 0x15, 0x25  # with 16 dBm


def node(**more):
    return Node(region=AS923, **more)


def session(region=AS923):
    return Session(region, ADDR, NWK_KEY, APP_SKEY)


def obey(one, *commands):
    one.answers = bytearray()
    Commands(None).process(one, b"".join(commands), 7)
    return bytes(one.answers)


def limited(value):
    one = session()
    assert obey(one, bytes((9, value))) == b"\x09"
    return one.region


def test_groups_of_as923_differ_by_a_frequency_offset():
    for name, offset in (("AS923", 0), ("AS923-2", -18), ("AS923-3", -66), ("AS923-4", -59)):
        region = Region(Group(name))
        channels = session(region).channels
        first = 923_200_000 + offset * 100_000
        assert tuple(channels.freq[:3]) == (first, first + 200_000, 0), name
        assert channels.mask == 3 and region.table.RX2_HZ == first
        assert region.band(first) == region.band(first + 200_000) == 0
        assert region.band(868_100_000) == region.band(928_000_100) == -1
    outside = [Region(Group(name)).band(923_200_000) for name in ("AS923-2", "AS923-3", "AS923-4")]
    assert outside == [-1] * 3


def test_an_unknown_group_is_refused():
    try:
        Group("AS923-5")
        raise AssertionError("accepted")
    except KeyError:
        pass


def test_a_dwell_time_shortens_payloads_of_uplinks_alone():
    free, short = limited(NONE), limited(UP)
    assert [free.max_mac_payload(rate) - 8 for rate in RATES] == [51, 51, 115, 115, 242, 242, 242]
    assert [short.max_mac_payload(rate) - 8 for rate in range(2, 7)] == [11, 53, 125, 242, 242]
    assert [rate for rate in range(9) if short.is_rate(rate)] == [2, 3, 4, 5, 6]
    assert [rate for rate in range(9) if free.is_rate(rate)] == list(RATES)
    for rate in range(2, 7):
        assert short.uplink_us(rate, short.max_mac_payload(rate) + 5) <= 400_000
    assert short.uplink_us(1, 13) > 400_000  # not even an empty frame
    for region in (AS923, free, short, limited(DOWN)):
        assert [region.table.DOWN_PAYLOAD_MAX[rate] - 8 for rate in RATES] == [
            51, 51, 115, 115, 242, 242, 242
        ]  # fmt: skip


def test_rx1_has_the_data_rate_of_the_table():
    for rate in RATES:
        for offset, less in enumerate((0, 1, 2, 3, 4, 5, -1, -2)):
            for region, lowest in ((limited(NONE), 0), (limited(UP), 0), (limited(DOWN), 2)):
                wanted = min(max(rate - less, lowest), 6)  # DR7 would be FSK
                assert region.rx1_rate(rate, offset) == wanted, (rate, offset)
    assert [offset for offset in range(8) if AS923.is_offset(offset)] == list(range(8))


def test_power_is_what_the_network_permits():
    for code, dbm in enumerate(EIRP):
        region = limited(code)
        assert [region.eirp_dbm(index) for index in range(8)] == [dbm - 2 * i for i in range(8)]
    made = node()
    assert made.send().dbm == 14  # 16, less 2 dB of antenna
    made.obey(b"\x09\x12")
    assert made.send().dbm == 10


def test_a_dwell_time_holds_until_the_network_sets_another():
    one = session()
    assert one.rate == 2 and one.region.max_mac_payload(2) == 19
    made = node(session=False)
    made.mac.join(identity(), 0)
    sent = [made.exchange()[0] for _ in range(20)]
    assert {frame.sf for frame in sent} == {7, 8, 9, 10}
    assert {frame.freq for frame in sent} == {923_200_000, 923_400_000}
    assert max([frame.toa for frame in sent]) <= 400_000


def test_a_payload_that_dr2_does_not_carry_goes_at_dr3_without_adr():
    made = node()
    sent = made.send(b"x" * 51)
    assert (sent.sf, sent.control() & 0x80) == (9, 0) and sent.toa <= 400_000
    made.obey(bytes((9, NONE)))
    made.send(rx1=made.downlink())
    sent = made.send(b"x" * 51)
    assert (sent.sf, sent.control() & 0x80) == (10, 0x80)


def test_tx_param_setup_is_answered_until_a_downlink_comes():
    made = node()
    made.obey(b"\x09\x35")
    for _ in range(3):
        assert made.send(b"").options() == b"\x09"
    made.send(b"", rx1=made.downlink())
    assert made.send(b"").options() == b""


def test_a_dwell_time_raises_the_data_rate():
    made = node()
    made.obey(bytes((9, NONE)))
    made.obey(b"\3\x00\3\0\1")
    assert made.mac.session.rate == 0 and made.send().sf == 12
    made.obey(bytes((9, UP)))
    assert made.mac.session.rate == 2 and made.send().sf == 10
    assert obey(made.mac.session, b"\3\x10\3\0\1") == b"\3\5"  # DR1 is refused now


def test_the_back_off_ends_at_the_lowest_possible_data_rate():
    for value, lowest in ((UP, 2), (NONE, 0)):
        made = node()
        made.obey(bytes((9, value)))
        made.mac.session.rate = 5
        for _ in range(420):
            made.send(b"")
            assert made.mac.session.rate >= lowest
            made.mac.set_duty_cycle(False)
        assert made.mac.session.rate == lowest


def test_downlinks_are_never_too_long_for_a_dwell_time():
    made = node()
    made.obey(b"\x09\x35")
    made.send(rx1=made.downlink(port=9, payload=b"y" * 100))
    assert [event[0] for event in made.events()] == ["down", "sent"]


def test_dwell_time_and_power_survive_a_reset():
    store = Store()
    for value in (0x00, 0x15, 0x24, 0x3F):
        made = node(store=store)
        made.obey(bytes((9, value)))
        later = Node(store, session=False, region=AS923)
        assert later.mac.restore(0)
        one = later.mac.session
        assert one.region.eirp_dbm(0) == EIRP[value & 15]
        assert one.region.is_rate(0) == (not value & 0x10)
        assert one.region.rx1_rate(2, 2) == (2 if value & 0x20 else 0)
        assert one.region.sure_bytes == 51


def test_a_session_of_another_region_or_group_is_refused():
    for name in ("AS923-2", "AS923-3", "AS923-4"):
        other = Region(Group(name))
        assert refused(unpack, AS923, session(other).pack(0, ())).startswith("session")
        assert refused(unpack, other, session().pack(0, ())).startswith("session")
    assert refused(unpack, REGION, session().pack(0, ())).startswith("session")


def test_a_list_of_frequencies_follows_the_two_channels():
    made = node(session=False)
    made.mac.join(identity(), 0)
    freqs = (922_000_000, 922_200_000, 868_100_000, 0, 922_800_000)
    cf_list = b"".join([freq3(freq) for freq in freqs]) + b"\0"
    made.exchange(join_accept(cf_list=cf_list, settings=2))
    channels = made.mac.session.channels
    assert channels.mask == 0b1001111
    assert tuple(channels.freq[2:7]) == (922_000_000, 922_200_000, 0, 0, 922_800_000)


def test_uplinks_of_as923_take_one_per_cent_of_an_hour():
    made = node()
    made.obey(bytes((9, NONE)))
    start = made.now
    spent = sum([made.send(b"x" * 100).toa for _ in range(50)])
    assert spent > 36_000_000 and made.now - start >= 3_400_000_000
