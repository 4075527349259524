"""The packed interval record: byte for byte, at its limits, and against garbage."""

import random
from binascii import hexlify

from wire.record import BINS, MAX_BYTES, WHY_BOOT, Interval

# Worked out by hand from the layout in the module's docstring.
VECTOR = (
    "01" "00f15365" "0700" "1203" "efbeadde" "fb"
    "e807" "8407" "04" "01" "0a" "e419"  # uptime 1000, length 900, 4 not observed, why, age, mV
    "44" "01" "ac02"  # counts: slots 2 and 6
    "44" "e807" "ffffffff03"  # totals
    "d80f" "8021" "a1" "01"  # forward: sum 2008, 1 passage in bin 7, 10 (octal 12) in bin 12
    "00" "00"
)  # fmt: skip
HEAD = 14 + 2 + 2 + 1 + 1 + 1 + 2  # bytes of the sample's before its counts
EMPTY_BYTES = 14 + 1 + 1 + 1 + 1 + 3 + 1 + 2 + 2 + 2  # bytes of an empty record


def _sample():
    rec = Interval()
    rec.reset(1_700_000_000, 1000)
    rec.boot, rec.reset_cause, rec.config_hash = 7, 3, 0xDEADBEEF
    rec.length, rec.coverage, rec.why = 900, 896, WHY_BOOT
    rec.time_source, rec.sync_age, rec.detector = 2, 10, 1
    rec.supply_mv, rec.temp_c = 3300, -5
    rec.counts[2], rec.counts[6] = 1, 300
    rec.totals[2], rec.totals[6] = 1000, 0x3FFFFFFF
    rec.speed_sum[0], rec.speed_n[0] = 2008, 11
    rec.hist[7], rec.hist[12] = 1, 10
    return rec


def test_few_road_users_of_a_direction_keep_their_number_alone():
    rec, before = _counting(), _counting()
    rec.withhold(3)
    assert list(rec.counts[:5]) == [0, 0, 0, 0, 2] and list(rec.totals[:5]) == [10, 10, 10, 10, 12]
    assert rec.speed_n[0] == rec.speed_sum[0] == 0 and not any(rec.hist[:BINS])
    assert not any([rec.spacing[i] for i in range(0, 10, 2)])
    for name in ("counts", "totals"):
        assert list(getattr(rec, name)[5:]) == list(getattr(before, name)[5:])
    assert rec.speed_n[1] == 3 and list(rec.hist[BINS:]) == list(before.hist[BINS:])
    assert all([rec.spacing[i] == before.spacing[i] for i in range(1, 10, 2)])


def test_nothing_is_withheld_from_k_on_or_where_nobody_passed():
    for k in (1, 2):
        rec, before = _counting(), _counting()
        rec.withhold(k)
        assert _packed(rec) == _packed(before)
    rec = Interval()
    rec.withhold(100)
    assert _packed(rec) == _packed(Interval())


def test_a_total_that_has_wrapped_is_changed_with_its_count():
    rec = Interval()
    rec.totals[0] = 0x3FFFFFFF
    rec.add(0, 0, 50)
    rec.withhold(3)
    assert rec.totals[0] == 0x3FFFFFFF and rec.totals[4] == rec.counts[4] == 1


def _counting():
    """Two road users forward, one of them without a speed, and three backward."""
    rec = Interval()
    for i in range(10):
        rec.totals[i] = 10
    for direction, cls, speed in ((0, 1, 180), (0, 2, -1), (1, 2, 500), (1, 3, 400), (1, 2, 450)):
        rec.add(direction, cls, speed, 9)
        rec.add_headway(direction, 2000, 1500, 300)
    return rec


def _packed(rec):
    buf = bytearray(MAX_BYTES)
    return bytes(buf[: rec.pack_into(buf)])


def _full():
    """Every field at its largest value."""
    rec = Interval()
    rec.reset(0xFFFFFFFF, 0xFFFFFFFF)
    rec.boot = rec.length = rec.coverage = rec.why = rec.sync_age = rec.supply_mv = 0xFFFF
    rec.time_source, rec.detector, rec.reset_cause = 4, 6, 5
    rec.config_hash, rec.temp_c = 0xFFFFFFFF, 127
    for i in range(10):
        rec.counts[i], rec.totals[i] = 0xFFFF, 0xFFFFFFFF
    for i in range(2):
        rec.speed_sum[i], rec.speed_n[i] = 0xFFFFFFFF, 0xFFFF
    for i in range(2 * BINS):
        rec.hist[i] = 2047 + (i % BINS == 0) * 31  # their sum is the largest number of speeds
    return rec


def _packed(rec):
    buf = bytearray(MAX_BYTES)
    return bytes(buf[: rec.pack_into(buf)])


def _fields(rec):
    lists = (rec.counts, rec.totals, rec.hist, rec.speed_sum, rec.speed_n)
    return [list(values) for values in lists] + [
        rec.start, rec.boot, rec.uptime, rec.length, rec.coverage, rec.why, rec.time_source,
        rec.sync_age, rec.detector, rec.reset_cause, rec.config_hash, rec.supply_mv, rec.temp_c,
    ]  # fmt: skip


def _refused(data, length=None):
    try:
        Interval().unpack(data, len(data) if length is None else length)
    except ValueError as error:
        return str(error)
    raise AssertionError("accepted: %s" % hexlify(data))


def test_a_record_is_packed_byte_for_byte_as_documented():
    assert hexlify(_packed(_sample())).decode() == VECTOR


def test_a_record_comes_back_as_it_was():
    empty, least = Interval(), Interval()
    least.reset(0, 0)
    least.temp_c = -128
    for rec in (_sample(), _full(), empty, least):
        data = _packed(rec)
        again = _full()  # no old value may remain
        again.unpack(data, len(data))
        assert _fields(again) == _fields(rec)
        assert _packed(again) == data


def test_random_records_come_back_as_they_were():
    random.seed(11)
    for _ in range(100):
        rec = Interval()
        rec.reset(random.getrandbits(31), random.getrandbits(20))
        for _ in range(random.randrange(300)):
            rec.add(random.randrange(2), random.randrange(5), random.randrange(-1, 2000))
        rec.length, rec.coverage = random.randrange(3601), random.randrange(3601)
        data = _packed(rec)
        again = Interval()
        again.unpack(data, len(data))
        assert _fields(again) == _fields(rec)


def test_an_empty_record_is_short():
    assert len(_packed(Interval())) == EMPTY_BYTES


def test_an_empty_histogram_slot_costs_no_byte_and_the_last_one_counts():
    for slot, extra in ((0, 0), (6, 0), (7, 1), (31, 4)):
        rec = Interval()
        rec.hist[slot] = rec.speed_n[0] = 1
        data = _packed(rec)
        assert len(data) == EMPTY_BYTES + 1 + extra, slot
        again = Interval()
        again.unpack(data, len(data))
        assert list(again.hist) == list(rec.hist)


def test_the_largest_record_stays_within_the_stated_bytes():
    data = _packed(_full())
    assert len(data) <= MAX_BYTES
    try:
        _full().pack_into(bytearray(len(data) - 1))
        raise AssertionError("written beyond the buffer")
    except (IndexError, ValueError):
        pass


def test_every_truncation_is_refused():
    for rec in (_sample(), _full(), Interval()):
        data = _packed(rec)
        for length in range(len(data)):
            _refused(data[:length])
            _refused(data, length)  # the rest still stands in the buffer


def test_bytes_left_over_are_refused():
    assert "1 bytes left over" in _refused(_packed(_sample()) + b"\0")


def test_every_other_version_is_refused_by_its_number():
    data = bytearray(_packed(_sample()))
    for version in range(256):
        data[0] = version
        if version not in (1, 2, 3):
            assert "version %d" % version in _refused(data)


def test_a_state_that_has_no_name_is_refused():
    data = bytearray(_packed(_sample()))
    for low in range(256):
        for high in range(8):
            data[7], data[8] = low, high
            if low & 15 > 4 or low >> 4 > 6:
                assert "state" in _refused(data)
            elif high > 5:
                assert "reset cause" in _refused(data)
            else:
                Interval().unpack(data, len(data))


def test_a_mask_with_a_bit_for_no_counter_is_refused():
    head = _packed(_sample())[:HEAD]
    assert "1024 at byte" in _refused(head + b"\x80\x08" + b"\x01" + b"\0" * 5)
    assert "out of range" in _refused(head + b"\0\0" + b"\0" + b"\x80\x80\x80\x80\x10" + b"\1\0\0")


def test_a_number_that_never_ends_is_refused():
    head = _packed(_sample())[:HEAD]
    assert "bad number" in _refused(head[:14] + b"\x80" * 40)
    assert "bad number" in _refused(head + b"\x80" * 40)
    assert "bad number" in _refused(head + b"\x01" + b"\xff" * 40)
    six = b"\x80\x80\x80\x80\x80\0"  # nothing but a zero, in one byte more than 32 bits need
    assert "bad number" in _refused(head + b"\0\0" + six + b"\0" * 5)


def test_a_count_beyond_its_field_is_refused():
    head = _packed(_sample())[:HEAD]
    assert "out of range" in _refused(head + b"\x01" + b"\x80\x80\x04" + b"\0" * 7)
    assert "out of range" in _refused(head + b"\0\x01" + b"\x80\x80\x80\x80\x10" + b"\0" * 6)
    speeds = head + b"\0\0"
    assert "out of range" in _refused(speeds + b"\x80\x80\x80\x80\x10" + b"\0" * 5)
    assert "65536 at byte" in _refused(speeds + b"\0\x01" + b"\x88\x88\x28" + b"\0\0")
    assert "bad number" in _refused(speeds + b"\0\x01" + b"\x88\x88\x88\x01" + b"\0\0")
    assert "65536 speeds" in _refused(speeds + b"\0\x03" + b"\xff\xff\x1f\x01" + b"\0\0")
    assert "filled up" in _refused(speeds + b"\0\x01" + b"\x11" + b"\0\0")
    for at in range(15, 20):  # length and what follows: beyond 16 bits
        assert "out of range" in _refused(head[:14] + b"\1" * (at - 14) + b"\x80\x80\x04")
    full = _packed(_full())
    again = Interval()
    again.unpack(full, len(full))  # the largest that fits is accepted


def test_garbage_raises_nothing_but_value_error():
    random.seed(3)
    good = _packed(_sample())
    rec = Interval()
    for _ in range(2000):
        n = random.randrange(0, 120)
        data = bytearray(good[: 14 if n % 2 else HEAD]) + bytes(
            random.getrandbits(8) for _ in range(n)
        )
        try:
            rec.unpack(data, len(data))
        except ValueError:
            continue
        assert len(_packed(rec)) <= MAX_BYTES


def test_a_passage_lands_in_its_slot_and_bin():
    for direction in (0, 1):
        for cls in range(5):
            rec = Interval()
            rec.add(direction, cls, 503)
            slot = direction * 5 + cls
            want = [1 if i == slot else 0 for i in range(10)]
            assert list(rec.counts) == want and list(rec.totals) == want
            assert rec.speed_sum[direction] == 503 and rec.speed_n[direction] == 1
            assert rec.hist[direction * BINS + 12] == 1 and sum(rec.hist) == 1
            assert rec.speed_n[1 - direction] == 0


def test_bins_are_four_kmh_wide_and_the_last_is_open():
    for speed, bin_ in ((0, 0), (39, 0), (40, 1), (79, 1), (1239, 30), (1240, 31), (2550, 31)):
        rec = Interval()
        rec.add(1, 2, speed)
        assert rec.hist[BINS + bin_] == 1, speed


def test_a_passage_without_a_speed_counts_but_gives_no_speed():
    rec = Interval()
    rec.add(0, 4, -1)
    assert rec.counts[4] == 1 and rec.totals[4] == 1
    assert rec.speed_n[0] == 0 and rec.speed_sum[0] == 0 and sum(rec.hist) == 0


def test_counts_stop_at_their_limit_and_speeds_with_them():
    rec = Interval()
    for _ in range(65_540):
        rec.add(0, 2, 500)
    assert rec.counts[2] == rec.speed_n[0] == rec.hist[12] == 65_535
    assert rec.speed_sum[0] == 65_535 * 500
    assert rec.totals[2] == 65_535
    rec.add(0, 3, 900)  # another class still counts; its speed no longer does
    assert rec.counts[3] == 1 and rec.speed_n[0] == 65_535 and rec.hist[22] == 0
    data = _packed(rec)
    Interval().unpack(data, len(data))


def test_totals_wrap_at_thirty_bits():
    rec = Interval()
    rec.totals[0] = 0x3FFFFFFF
    rec.add(0, 0, -1)
    assert rec.totals[0] == 0 and rec.counts[0] == 1


def test_a_new_interval_is_empty_but_totals_and_identity_go_on():
    rec = _sample()
    rec.reset(1_700_000_900, 1900)
    assert (rec.start, rec.uptime, rec.length, rec.coverage, rec.why) == (
        1_700_000_900, 1900, 0, 0, 0,
    )  # fmt: skip
    assert sum(rec.counts) == sum(rec.hist) == sum(rec.speed_n) == sum(rec.speed_sum) == 0
    assert rec.totals[2] == 1000 and rec.boot == 7 and rec.config_hash == 0xDEADBEEF
