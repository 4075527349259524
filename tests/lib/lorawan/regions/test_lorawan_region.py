"""EU868: airtimes, payloads, power, receive windows, sub-bands (RP002-1.0.4, 2.4)."""

from lorawan_node import REGION

from lorawan.regions import eu868
from lorawan.radio import Radio
from lorawan.regions.region import airtime_us, symbol_us

RATES = range(7)
# Per data rate, microseconds: Join-Request (23 bytes), frames with 0, 10, 20 bytes of payload,
# the longest frame, and a Join-Accept of 33 bytes without CRC. From the formula of the SX1261/2
# data sheet, 6.1.4, worked out independently.
AIRTIMES = (
    (1_482_752, 1_155_072, 1_482_752, 1_810_432, 2_793_472, 1_810_432),
    (823_296, 577_536, 823_296, 987_136, 1_560_576, 905_216),
    (370_688, 288_768, 370_688, 452_608, 698_368, 452_608),
    (205_824, 164_864, 205_824, 246_784, 676_864, 246_784),
    (113_152, 82_432, 113_152, 133_632, 707_072, 133_632),
    (61_696, 46_336, 61_696, 71_936, 399_616, 71_936),
    (30_848, 23_168, 30_848, 35_968, 199_808, 35_968),
)


def test_airtimes_follow_the_formula_of_the_data_sheet():
    for rate in RATES:
        sf, bw = REGION.modulation(rate)
        longest = REGION.max_mac_payload(rate) + 5
        sizes = (23, 13, 23, 33, longest)
        assert tuple([REGION.uplink_us(rate, size) for size in sizes]) == AIRTIMES[rate][:5]
        assert airtime_us(sf, bw, 33, False) == AIRTIMES[rate][5]


def test_each_data_rate_has_its_longest_payload():
    longest = [REGION.max_mac_payload(rate) - 8 for rate in RATES]
    assert longest == [51, 51, 51, 115, 242, 242, 242]
    assert eu868.DOWN_PAYLOAD_MAX == eu868.MAC_PAYLOAD_MAX


def test_data_rates_and_powers_are_those_of_the_region():
    assert [rate for rate in range(-1, 16) if REGION.is_rate(rate)] == list(RATES)
    assert [REGION.modulation(rate)[0] for rate in RATES] == [12, 11, 10, 9, 8, 7, 7]
    assert REGION.modulation(6)[1] == 250_000
    assert [index for index in range(16) if REGION.is_power(index)] == list(range(8)) + [15]
    assert [REGION.eirp_dbm(index) for index in range(8)] == [16, 14, 12, 10, 8, 6, 4, 2]


def test_radiated_power_takes_the_antenna_and_the_chip_into_account():
    assert Radio(gain_dbi=2).dbm(16) == 14
    assert Radio(gain_dbi=-8, max_dbm=20).dbm(16) == 20


def test_rx1_has_the_data_rate_of_the_table():
    for rate in RATES:
        for offset in range(6):
            assert REGION.rx1_rate(rate, offset) == max(0, rate - offset)
    assert [offset for offset in range(8) if REGION.is_offset(offset)] == list(range(6))


def test_every_frequency_has_its_sub_band_or_none():
    def permille(freq):
        band = REGION.band(freq)
        return 1000 // eu868.BANDS[band][2] if band >= 0 else None

    limits = (
        (863_000_000, 1), (864_999_999, 1), (865_000_000, 10), (867_100_000, 10),
        (868_000_000, 10), (868_100_000, 10), (868_600_000, 10), (868_650_000, None),
        (868_700_000, 1), (869_200_000, 1), (869_300_000, None), (869_400_000, 100),
        (869_525_000, 100), (869_650_000, 100), (869_675_000, None), (869_700_000, 10),
        (870_000_000, 10), (870_000_100, None), (862_999_900, None), (0, None),
    )  # fmt: skip
    for freq, limit in limits:
        assert permille(freq) == limit, freq
    # the channels of the join and those that networks add are in different sub-bands
    assert REGION.band(868_000_000) != REGION.band(868_100_000)


def test_a_window_opens_early_enough_and_never_late():
    """TS001-1.0.4, 3.3.2 and 3.3.4, for every error within the budget."""
    for rate in RATES:
        tsym = symbol_us(*REGION.modulation(rate))
        for error in (0, 20, 1000, 10_000, 50_000):
            early, symbols = REGION.window(rate, error)
            for actual in (-error, 0, error):
                opens = -early + actual  # relative to the nominal time
                closes = opens + symbols * tsym
                assert opens <= 0
                assert closes >= 6 * tsym  # a receiver has had six symbols of the preamble
            assert symbols <= 248


def test_a_window_is_as_long_as_error_and_preamble_need():
    assert REGION.window(0, 10_000) == (10_000, 7)
    assert REGION.window(5, 10_000) == (10_000, 26)
    assert REGION.window(5, 0) == (0, 6)


def test_an_error_that_no_window_can_cover_is_refused():
    error_us = REGION.max_error_us()
    assert REGION.window(6, error_us)[1] <= 248
    assert (2 * (error_us + 512) + 511) // 512 + 6 > 248
