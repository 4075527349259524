"""US915: a fixed plan of 72 channels, masks, joining by groups, payloads (RP002-1.0.4, 2.5)."""

import struct

from lorawan_node import (
    ADDR, APP_SKEY, NWK_KEY, REGION, US915, Node, Store, freq3, identity, join_accept, refused,
)  # fmt: skip

from lorawan.regions import us915
from lorawan.regions.as923 import Group
from lorawan.regions.region import Region
from lorawan.commands import Commands
from lorawan.mac_core import JOINED
from lorawan.session import Session, unpack

ALL = (1 << 72) - 1
NARROW = (1 << 64) - 1
SUB_BAND_2 = 0xFF00 | 1 << 65
PLAN = [902_300_000 + 200_000 * i for i in range(64)]
PLAN += [903_000_000 + 1_600_000 * i for i in range(8)]
RATES = (0, 1, 2, 3, 4)


def node(**more):
    return Node(region=US915, **more)


def obey(session, *commands):
    """The answers to MAC commands."""
    session.answers = bytearray()
    Commands(None).process(session, b"".join(commands), 7)
    return bytes(session.answers)


def link_adr(rate, power, mask, control):
    return struct.pack("<BBHB", 3, rate << 4 | power, mask, control << 4 | 1)


def session():
    return Session(US915, ADDR, NWK_KEY, APP_SKEY)


def test_channels_are_those_of_the_formula():
    channels = session().channels
    assert [channels.freq[i] for i in range(len(channels.freq))] == PLAN
    assert [channels.down[i] for i in range(72)] == [
        923_300_000 + 600_000 * (i % 8) for i in range(72)
    ]
    assert channels.mask == ALL
    bands = [US915.band(freq) for freq in PLAN + [923_300_000, 927_500_000]]
    assert bands == [0] * 74 and US915.band(901_999_900) == US915.band(928_000_100) == -1


def test_data_rates_payloads_and_powers_are_those_of_us915():
    assert [rate for rate in range(16) if US915.is_rate(rate)] == list(RATES)
    assert [rate for rate in range(16) if US915.is_rx_rate(rate)] == list(range(8, 14))
    assert [US915.max_mac_payload(rate) - 8 for rate in RATES] == [11, 53, 125, 242, 242]
    down = [us915.DOWN_PAYLOAD_MAX[rate] - 8 for rate in range(8, 14)]
    assert down == [53, 129, 242, 242, 242, 242]
    assert [US915.modulation(rate)[0] for rate in RATES] == [10, 9, 8, 7, 8]
    assert [US915.modulation(rate) for rate in range(8, 14)] == [
        (sf, 500_000) for sf in range(12, 6, -1)
    ]
    for rate in RATES:  # the longest frame keeps to 400 ms; at DR0 one byte more would not
        assert US915.uplink_us(rate, US915.max_mac_payload(rate) + 5) <= 400_000
    assert [US915.eirp_dbm(index) for index in range(15)] == list(range(30, 0, -2))
    assert US915.is_power(14) and not [i for i in range(16) if not US915.is_power(i)]


def test_rx1_has_the_data_rate_of_the_table():
    for rate in range(4):
        for offset in range(4):
            assert US915.rx1_rate(rate, offset) == max(8, rate + 10 - offset)
    assert [US915.rx1_rate(4, offset) for offset in range(4)] == [13, 13, 12, 11]
    assert [offset for offset in range(8) if US915.is_offset(offset)] == [0, 1, 2, 3]


def test_the_chip_sends_no_more_than_fewer_than_fifty_channels_permit():
    made = node()
    assert made.send().dbm == 21
    made.mac.session.power = 10  # 10 dBm radiated, 2 dB of antenna
    assert made.send().dbm == 8


def test_windows_are_where_the_channel_says():
    made = node()
    made.mac.set_adr(False, 3)
    for _ in range(80):
        made.mac.send(1, b"x", made.now)
        sent, windows = made.exchange()
        index = PLAN.index(sent.freq)
        assert windows[0].freq == 923_300_000 + 600_000 * (index % 8)
        assert (windows[0].sf, windows[0].bw) == (7, 500_000)
        assert (windows[1].freq, windows[1].sf, windows[1].bw) == (923_300_000, 12, 500_000)


def test_every_channel_is_used_once_before_one_is_used_again():
    made = node()
    made.mac.set_adr(False, 0)
    for _ in range(3):
        freqs = [made.send().freq for _ in range(64)]
        assert sorted(freqs) == PLAN[:64]
    assert freqs != PLAN[:64]


def test_eight_channels_are_used_in_turn_as_well():
    made = node()
    made.mac.session.channels.mask = SUB_BAND_2
    for _ in range(5):
        assert sorted([made.send().freq for _ in range(8)]) == PLAN[8:16]
    made.mac.set_adr(False, 4)
    assert {made.send().freq for _ in range(4)} == {PLAN[65]}


def test_joining_goes_round_the_groups_by_turns_at_both_bandwidths():
    made = node(session=False)
    made.mac.join(identity(), 0)
    sent = [made.exchange()[0] for _ in range(32)]
    assert [(frame.sf, frame.bw) for frame in sent[:4]] == [(10, 125_000), (8, 500_000)] * 2
    narrow = [PLAN.index(frame.freq) for frame in sent[::2]]
    wide = [PLAN.index(frame.freq) for frame in sent[1::2]]
    for half in (narrow[:8], narrow[8:]):
        assert sorted([index // 8 for index in half]) == list(range(8))
    assert len(set(narrow)) == 16
    assert sorted(wide[:8]) == sorted(wide[8:]) == list(range(64, 72))


def test_a_join_accept_comes_on_the_channel_that_belongs_to_the_request():
    made = node(session=False)
    made.mac.join(identity(), 0)
    for _ in range(4):
        sent, windows = made.exchange()
        index = PLAN.index(sent.freq)
        assert windows[0].freq == 923_300_000 + 600_000 * (index % 8)
        assert windows[0].sf == (10 if index < 64 else 7) and windows[0].bw == 500_000


def joined(cf_list=b"", settings=8, requests=0):
    made = node(session=False)
    made.mac.join(identity(), 0)
    for _ in range(requests):
        made.exchange()
    made.exchange(join_accept(cf_list=cf_list, settings=settings))
    assert (JOINED, ADDR) in made.events()
    return made


def masks(mask):
    return mask.to_bytes(10, "little") + bytes(5) + b"\1"


def test_a_list_of_type_1_is_a_mask():
    assert joined(masks(SUB_BAND_2)).mac.session.channels.mask == SUB_BAND_2
    assert joined(masks(SUB_BAND_2 | 0xFF << 72)).mac.session.channels.mask == SUB_BAND_2
    for cf_list in (
        b"", bytes(15) + b"\1", masks(1), bytes(15) + b"\0", b"\xff" * 15 + b"\2",
    ):  # fmt: skip
        assert joined(cf_list).mac.session.channels.mask == ALL, cf_list


def test_settings_of_a_join_accept_that_are_not_possible_leave_the_default():
    made = joined(settings=0x70 | 3).mac.session
    assert (made.rx2_rate, made.rx1_offset) == (8, 0)
    made = joined(settings=0x30 | 10).mac.session
    assert (made.rx2_rate, made.rx1_offset) == (10, 3)


def test_a_session_begins_at_a_data_rate_that_carries_a_frame():
    made = joined()
    assert made.mac.session.rate == 1 and made.mac.max_payload() == 53
    assert joined(requests=1).mac.session.rate == 4
    # 500 kHz is not among the channels of the list
    made = joined(masks(0xFF00), requests=1)
    assert made.send().sf == 7 and made.mac.session.rate == 3


def test_link_adr_changes_the_mask_by_its_control_value():
    one = session()
    channels = one.channels
    for commands, mask in (
        ((7, 0), 0),
        ((7, 2), 1 << 65),
        ((6, 0), NARROW),
        ((6, 0xFFFF), ALL),
        ((5, 0b10), SUB_BAND_2),
        ((5, 0xFF02), SUB_BAND_2),
        ((4, 0x81), NARROW | 0x81 << 64),
        ((1, 0), ALL & ~0xFFFF0000),
        ((3, 0x8001), ALL & ~(0xFFFF << 48) | 0x8001 << 48),
    ):
        assert channels.change_mask(ALL, *commands) == mask, commands
    assert obey(one, link_adr(15, 15, 2, 7), link_adr(15, 15, 0xFF00, 0)) == b"\3\7\3\7"
    assert channels.mask == SUB_BAND_2
    assert obey(one, link_adr(2, 15, 0, 6)) == b"\3\7" and channels.mask == NARROW


def test_a_mask_without_usable_channels_is_refused():
    one = session()
    assert obey(one, link_adr(15, 15, 0, 7)) == b"\3\6"  # no channel at all
    assert obey(one, link_adr(0, 15, 2, 7)) == b"\3\5"  # DR0 is for 125 kHz
    assert obey(one, link_adr(0, 15, 0, 7), link_adr(0, 15, 1, 0)) == b"\3\5\3\5"  # one to hop on
    assert one.channels.mask == ALL and one.rate == 0
    assert obey(one, link_adr(4, 15, 2, 7)) == b"\3\7" and one.channels.mask == 1 << 65


def test_data_rates_and_powers_that_do_not_exist_are_refused():
    one = session()
    for rate in (5, 6, 7, 8, 13, 14):
        assert obey(one, link_adr(rate, 0, 0, 6)) == b"\3\5", rate
    assert obey(one, link_adr(3, 14, 0, 6)) == b"\3\7" and (one.rate, one.power) == (3, 14)


def test_rx_param_setup_takes_data_rates_of_downlinks():
    one = session()
    for rate, status in ((8, 7), (13, 7), (0, 5), (4, 5), (14, 5)):
        assert obey(one, bytes((5, rate)) + freq3(923_900_000)) == bytes((5, status)), rate
    assert obey(one, b"\5\x48" + freq3(923_300_000)) == b"\5\3"
    assert (one.rx2_hz, one.rx2_rate, one.rx1_offset) == (923_900_000, 13, 0)


def test_commands_of_other_regions_are_dropped_without_an_answer():
    one = session()
    before = one.pack(0, ())
    new = b"\7\3" + freq3(903_900_000) + b"\x50"
    assert obey(one, new, b"\x0a\1" + freq3(923_300_000), b"\x09\x35", b"\6") == b"\6\xff\7"
    one.answers = bytearray()
    assert one.pack(0, ()) == before


def test_the_back_off_ends_with_all_channels():
    made = node()
    made.mac.session.channels.mask = SUB_BAND_2
    made.mac.session.rate = 2
    for _ in range(96 + 32 * 3):
        assert made.mac.session.channels.mask == SUB_BAND_2
        made.send(b"")
    assert made.mac.session.rate == 0 and made.mac.session.channels.mask == ALL


def test_a_payload_that_dr0_does_not_carry_goes_at_dr1_without_adr():
    made = node()
    assert made.mac.session.rate == 0
    short, long = made.send(b"x" * 11), made.send(b"x" * 12)
    assert (short.sf, short.control() & 0x80) == (10, 0x80)
    assert (long.sf, long.control() & 0x80) == (9, 0)
    assert made.mac.session.rate == 0 and made.mac.max_payload() == 53
    assert "53" in refused(made.mac.send, 1, b"x" * 54, made.now)
    assert made.send(b"x" * 51).toa <= 400_000


def test_a_long_payload_is_refused_where_the_application_needs_none():

    made = Node(region=Region(us915))
    assert made.mac.max_payload() == 11
    assert "11" in refused(made.mac.send, 1, b"x" * 12, made.now)


def test_answers_that_dr0_does_not_carry_are_cut_at_whole_ones():
    made = node()
    made.mac.session.answers = bytearray(b"\3\7" * 7)
    sent = made.send(b"x" * 9)
    assert sent.port() is None and sent.options() == b"\3\7" * 5
    assert len(sent.data) <= us915.MAC_PAYLOAD_MAX[0] + 5


def test_a_session_with_its_mask_survives_a_reset():
    store = Store()
    made = node(store=store)
    made.obey(link_adr(3, 2, 2, 7) + link_adr(3, 2, 0xFF00, 0))
    later = Node(store, session=False, region=US915)
    assert later.mac.restore(0, made.mac.snapshot())
    one = later.mac.session
    assert (one.channels.mask, one.rate, one.power) == (SUB_BAND_2, 3, 2)


def test_a_session_of_another_region_is_refused():
    packed = session().pack(0, ())
    assert refused(unpack, REGION, packed).startswith("session")
    other = Session(REGION, ADDR, NWK_KEY, APP_SKEY).pack(0, ())
    assert refused(unpack, US915, other).startswith("session")
    for size in range(len(packed)):
        refused(unpack, US915, packed[:size])


def test_us915_has_no_duty_cycle_and_does_not_store_airtime():
    made = node()
    made.mac.set_adr(False, 0)
    start = made.now
    for _ in range(300):
        made.send(b"x" * 11)
    assert made.now - start < 300 * 5_000_000
    assert len([name for name, _data in made.store.writes if name == "air"]) <= 8


def test_without_a_usable_channel_all_are_enabled_and_the_rate_stays_where_it_can():
    for rate, mask, sf in ((3, 0, 7), (3, 1, 7), (2, 0, 8), (4, 0, 7)):
        made = node()
        made.mac.set_adr(False, rate)
        made.mac.session.channels.mask = mask
        assert made.send().sf == sf, (rate, mask)
        assert made.mac.session.channels.mask == ALL


def test_a_stored_session_names_its_region():
    names = ("AS923", "AS923-2", "AS923-3", "AS923-4")
    tables = [US915, REGION] + [Region(Group(name), 51) for name in names]
    ids = [region.table.REGION_ID for region in tables]
    assert len(set(ids)) == 6
    for region, number in zip(tables, ids):
        assert Session(region, ADDR, NWK_KEY, APP_SKEY).pack(0, ())[0] == number
