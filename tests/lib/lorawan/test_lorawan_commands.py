"""MAC commands of the network and the answers to them (TS001-1.0.4, 5)."""

import struct

from lorawan_node import ADDR, APP_SKEY, NWK_KEY, REGION, freq3

from lorawan.commands import Commands
from lorawan.session import Session


class Device:
    def __init__(self, battery=255):
        self.told = []
        self.known = None  # whether all the commands were
        self.commands = Commands(self._tell, battery)
        self.session = Session(REGION, ADDR, NWK_KEY, APP_SKEY)

    def _tell(self, number, body):
        self.told.append((number, bytes(body)))

    def obey(self, data, snr=0):
        """The answers to these commands."""
        self.session.answers = bytearray()
        self.known = self.commands.process(self.session, data, snr)
        return bytes(self.session.answers)


def link_adr(rate=5, power=0, mask=7, cntl=0, nb_trans=1):
    return struct.pack("<BBHB", 3, rate << 4 | power, mask, cntl << 4 | nb_trans)


def new_channel(index, freq, rates=0x50):
    return bytes((7, index)) + freq3(freq) + bytes((rates,))


def test_link_check_and_device_time_are_told():
    device = Device()
    assert device.obey(b"\2\x14\3\x0d\1\2\3\4\x80") == b""
    assert device.told == [(2, b"\x14\3"), (13, b"\1\2\3\4\x80")]


def test_link_adr_sets_rate_power_and_transmissions():
    device = Device()
    assert device.obey(link_adr(5, 3, 5, 0, 3)) == b"\3\7"
    session = device.session
    assert (session.rate, session.power, session.nb_trans) == (5, 3, 3)
    assert session.channels.mask == 5
    assert device.obey(link_adr(4, 0, 7, 0, 0)) == b"\3\7"
    assert session.nb_trans == 1  # 0 means the default


def test_fifteen_keeps_rate_and_power():
    device = Device()
    device.obey(link_adr(4, 2))
    assert device.obey(link_adr(15, 15, 3)) == b"\3\7"
    assert (device.session.rate, device.session.power) == (4, 2)
    assert device.session.channels.mask == 3


def test_an_impossible_link_adr_is_named_in_the_answer_and_changes_nothing():
    for request, status in (
        (link_adr(7), 5), (link_adr(14), 5), (link_adr(6), 5),  # no channel has DR6
        (link_adr(5, 8), 3), (link_adr(5, 14), 3),
        (link_adr(5, 0, 0), 6), (link_adr(5, 0, 15), 6), (link_adr(5, 0, 7, 1), 6),
        (link_adr(5, 0, 7, 5), 6), (link_adr(5, 0, 7, 7), 6), (link_adr(9, 9, 0), 0),
    ):  # fmt: skip
        device = Device()
        assert device.obey(request) == bytes((3, status)), request
        session = device.session
        assert (session.rate, session.power, session.nb_trans) == (0, 0, 1)
        assert session.channels.mask == 7


def test_control_six_enables_every_defined_channel():
    device = Device()
    device.obey(new_channel(3, 867_100_000))
    device.obey(link_adr(5, 0, 1))
    assert device.obey(link_adr(5, 0, 0, 6)) == b"\3\7"
    assert device.session.channels.mask == 15


def test_contiguous_link_adr_is_one_change_with_an_answer_each():
    device = Device()
    assert device.obey(link_adr(9, 9, 0xFFFF, 0) + link_adr(5, 1, 3)) == b"\3\6\3\6"
    assert device.session.rate == 0  # an impossible mask anywhere spoils the block
    assert device.obey(link_adr(9, 9, 7) + link_adr(5, 1, 3, 0, 2)) == b"\3\7\3\7"
    assert (device.session.rate, device.session.power, device.session.nb_trans) == (5, 1, 2)
    assert device.session.channels.mask == 3


def test_another_command_between_ends_a_block():
    device = Device()
    assert device.obey(link_adr(9) + b"\6" + link_adr(5)) == b"\3\5\6\xff\0\3\7"
    assert device.session.rate == 5


def test_without_adr_link_adr_changes_the_channels_alone():
    device = Device()
    device.session.adr = False
    device.session.rate = 3
    assert device.obey(link_adr(5, 2, 3, 0, 4)) == b"\3\1"
    session = device.session
    assert (session.rate, session.power, session.nb_trans) == (3, 0, 1)
    assert session.channels.mask == 3


def test_duty_cycle_req_sets_the_limit():
    device = Device()
    for value in range(16):
        assert device.obey(bytes((4, value))) == b"\4"
        assert device.session.max_duty == value


def test_rx_param_setup_takes_all_or_nothing():
    for offset, rate, freq, status in (
        (5, 3, 869_525_000, 7), (0, 6, 863_000_000, 7), (6, 3, 869_525_000, 3),
        (0, 7, 869_525_000, 5), (0, 0, 868_650_000, 6), (0, 0, 0, 6), (7, 15, 1_000_000, 0),
    ):  # fmt: skip
        device = Device()
        request = bytes((5, offset << 4 | rate)) + freq3(freq)
        assert device.obey(request) == bytes((5, status))
        session = device.session
        got = (session.rx1_offset, session.rx2_rate, session.rx2_hz)
        assert got == ((offset, rate, freq) if status == 7 else (0, 0, 869_525_000))


def test_dev_status_reports_battery_and_margin():
    device = Device()
    for snr, margin in ((0, 0), (7, 7), (-5, 0x3B), (31, 31), (40, 31), (-32, 0x20), (-50, 0x20)):
        assert device.obey(b"\6", snr) == bytes((6, 255, margin))
    assert Device(battery=0).obey(b"\6", 3) == b"\6\0\3"


def test_new_channel_defines_a_channel_or_is_refused():
    device = Device()
    assert device.obey(new_channel(3, 867_100_000)) == b"\7\3"
    channels = device.session.channels
    assert channels.freq[3] == channels.down[3] == 867_100_000
    assert channels.mask == 15
    for index, freq, rates, status in (
        (4, 868_650_000, 0x50, 2), (4, 867_300_000, 0x05, 1), (4, 867_300_000, 0x70, 1),
        (4, 0xFFFFFF * 100, 0xF5, 0), (0, 867_300_000, 0x50, 0), (2, 0, 0x50, 0),
        (16, 867_300_000, 0x50, 0), (255, 867_300_000, 0x50, 0),
    ):  # fmt: skip
        assert device.obey(new_channel(index, freq, rates)) == bytes((7, status))
        assert channels.defined_mask() == 15
    assert channels.freq[0] == 868_100_000


def test_a_channel_with_other_data_rates_is_used_and_removed():
    device = Device()
    assert device.obey(new_channel(15, 869_700_000, 0x66)) == b"\7\3"
    assert device.obey(link_adr(6, 0, 0x8007)) == b"\3\7"
    assert device.session.rate == 6
    assert device.obey(new_channel(15, 0)) == b"\7\3"
    assert device.session.channels.mask == 7
    assert device.obey(new_channel(15, 0)) == b"\7\3"  # removing nothing is no error


def test_rx_timing_setup_sets_the_delay():
    device = Device()
    for value, seconds in ((0, 1), (1, 1), (5, 5), (15, 15), (0xF2, 2)):
        assert device.obey(bytes((8, value))) == b"\x08"
        assert device.session.rx1_delay_s == seconds


def test_tx_param_setup_is_dropped_in_eu868():
    assert Device().obey(b"\x09\x35\6") == b"\6\xff\0"


def test_dl_channel_sets_the_downlink_frequency_or_is_refused():
    device = Device()
    assert device.obey(b"\x0a\1" + freq3(869_525_000)) == b"\x0a\3"
    assert device.session.channels.down[1] == 869_525_000
    assert device.session.channels.freq[1] == 868_300_000
    assert device.obey(b"\x0a\3" + freq3(869_525_000)) == b"\x0a\1"
    assert device.obey(b"\x0a\xff" + freq3(869_525_000)) == b"\x0a\1"
    assert device.obey(b"\x0a\1" + freq3(868_650_000)) == b"\x0a\2"
    assert device.obey(b"\x0a\x09" + freq3(100)) == b"\x0a\0"
    assert device.session.channels.down[1] == 869_525_000


def test_a_new_channel_has_downlinks_on_its_uplink_frequency():
    device = Device()
    device.obey(new_channel(3, 867_100_000) + b"\x0a\3" + freq3(869_525_000))
    assert device.session.channels.down[3] == 869_525_000
    device.obey(new_channel(3, 867_300_000))
    assert device.session.channels.down[3] == 867_300_000


def test_several_commands_are_answered_in_their_order():
    device = Device()
    data = b"\6" + b"\4\2" + b"\x08\3" + link_adr() + b"\x0a\0" + freq3(868_100_000)
    assert device.obey(data, 1) == b"\6\xff\1\4\x08\3\7\x0a\3"


def test_an_unknown_command_ends_the_frame():
    for number in (0, 1, 0x0B, 0x0C, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x20, 0x80, 0xFF):
        device = Device()
        assert device.obey(b"\6" + bytes((number,)) + b"\6") == b"\6\xff\0"
        assert device.known is False
        assert device.obey(b"\6") and device.known is True


def test_a_command_that_is_cut_short_is_not_carried_out():
    whole = (
        b"\2\1\1", link_adr(), b"\4\3", b"\5\0" + freq3(869_525_000), new_channel(3, 867_100_000),
        b"\x08\5", b"\x09\0", b"\x0a\0" + freq3(868_100_000), b"\x0d\0\0\0\0\0",
    )  # fmt: skip
    for command in whole:
        for size in range(1, len(command)):
            device = Device()
            assert device.obey(command[:size]) == b"", command
            assert device.told == [] and device.session.channels.defined_mask() == 7


def test_more_answers_than_a_frame_holds_are_cut_at_a_whole_one():
    device = Device()
    answers = device.obey(b"\6" * 242)
    assert answers == b"\6\xff\0" * 80
