"""Airtime as in the data sheet, and a budget that comes in evenly and is never exceeded."""

from board_parts import FakeClock
from delivery.lorawan.airtime import Budget, airtime_ms, period_s

DAY = 86_400
SF7, SF8, SF9, SF10, SF11, SF12 = [(sf, 125_000) for sf in range(7, 13)]


def test_airtimes_agree_with_the_data_sheet_rounded_up():
    for modulation, size, us in (
        (SF12, 51, 2_793_472), (SF12, 20, 1_810_432), (SF11, 10, 823_296), (SF10, 20, 452_608),
        (SF9, 10, 205_824), (SF8, 20, 133_632), (SF7, 20, 71_936), (SF7, 0, 46_336),
        ((7, 250_000), 10, 30_848), ((8, 500_000), 20, 33_408),
    ):  # fmt: skip
        assert airtime_ms(modulation, size) == -(-us // 1000), (modulation, size)


def test_slow_data_rates_report_longer_periods():
    periods = [period_s(modulation) for modulation in (SF12, SF11, SF10, SF9, SF8, SF7)]
    assert periods == [3600, 3600, 1800, 900, 900, 900]
    assert period_s((8, 500_000)) == period_s((7, 250_000)) == 900


def test_each_period_in_short_form_fits_the_fair_use_up_from_sf11():
    for modulation in (SF11, SF10, SF9, SF8, SF7):
        assert airtime_ms(modulation, 24) * DAY // period_s(modulation) < 30_000


def test_a_budget_is_a_days_share_spread_over_the_day():
    clock = FakeClock(1)
    budget = Budget(30, clock.seconds)
    spent = frames = 0
    for _ in range(3 * DAY // 30):
        clock.go(30)
        if budget.left_ms() >= 247:
            budget.spend(247)
            spent += 247
            frames += 1
    assert 3 * 30_000 - 247 <= spent - 7_500 <= 3 * 30_000


def test_a_quarter_of_a_day_is_the_most_airtime_that_is_kept():
    clock = FakeClock(1)
    budget = Budget(30, clock.seconds)
    clock.go(10 * DAY)
    assert budget.left_ms() == 7_500
    budget.spend(7_500)
    assert budget.left_ms() == 0
    clock.go(DAY // 4 - 1)
    assert 7_490 < budget.left_ms() < 7_500


def test_airtime_that_the_radio_has_spent_counts_too():
    clock = FakeClock(1)
    budget = Budget(30, clock.seconds)
    assert budget.left_ms(29.5) == 500
    assert budget.left_ms(31) < 0


def test_a_budget_is_ample_while_half_is_left():
    budget = Budget(30, FakeClock(1).seconds)
    assert budget.is_ample(7_500, 3_750) and not budget.is_ample(7_500, 3_751)
