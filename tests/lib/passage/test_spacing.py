"""Headway, gap and occupancy of passages, and their place in a record."""

import io
import json
import time

from passage.queue import Headway
from wire.jsonform import write_interval
from wire.record import MAX_BYTES, Interval


def _spacing(passages):
    """(headway, gap) of each passage."""
    headway, out = Headway(), []
    for passage in passages:
        headway.add(*passage)
        out.append((headway.headway, headway.gap))
    return out


def _packed(rec):
    buf = bytearray(MAX_BYTES)
    return buf[: rec.pack_into(buf)]


def _record(*headways):
    rec = Interval()
    rec.reset(1_700_000_100, 1000)
    rec.length = rec.coverage = 900
    for headway in headways:
        rec.add_headway(*headway)
    return rec


def _copy(rec):
    data, copy = _packed(rec), Interval()
    copy.add_headway(0, 1, 1, 1000)  # must not stay
    copy.unpack(data, len(data))
    return copy


def test_headway_is_front_to_front_and_gap_rear_to_front_in_one_direction():
    seen = ((0, 1000, 300), (1, 1500, 200), (0, 4000, 250), (1, 9500, 100), (0, 4900, 250))
    assert _spacing(seen) == [(-1, -1), (-1, -1), (3000, 2700), (8000, 7800), (900, 650)]


def test_without_a_rear_there_is_no_gap():
    assert _spacing(((0, 1000, -1), (0, 3000, -1))) == [(-1, -1), (2000, -1)]


def test_ticks_may_wrap_between_two_passages():
    before = time.ticks_add(0, -500)
    assert before > 700
    assert _spacing(((0, before, 100), (0, 700, 100))) == [(-1, -1), (1200, 1100)]


def test_after_an_hour_or_a_blind_time_there_is_no_headway():
    assert _spacing(((0, 0, -1), (0, 3_600_001, -1)))[1] == (-1, -1)
    headway = Headway()
    headway.add(0, 1000, 100)
    headway.forget()
    headway.add(0, 2000, 100)
    assert (headway.headway, headway.gap) == (-1, -1)


def test_a_passage_before_its_forerunner_has_no_headway():
    """A radar that extrapolates a track over the line may change the order of two."""
    assert _spacing(((0, 5000, -1), (0, 4900, -1), (0, 6000, -1)))[1:] == [(-1, -1), (1100, -1)]


def test_headways_are_packed_as_documented():
    rec = _record((0, 2_000, 1_700, 350), (0, 13_000, 12_650, 350))
    plain = len(_packed(_record()))
    # mask: number, headways, gaps, time of forward; 2; 15.0 s; 14.4 s; 0.70 s
    assert _packed(rec)[plain:] == b"\x55\x02\x96\x01\x90\x01\x46"


def test_a_record_keeps_headways_and_is_of_version_1_without_them():
    rec = _record((0, 2000, -1, -1), (1, 60_000, 59_000, 900))
    assert list(_copy(rec).spacing) == [1, 1, 20, 600, 0, 590, 0, 90, 0, 0]
    assert _packed(rec)[0] == 2
    assert _packed(_record())[0] == 1 and not any(_copy(_record()).spacing)


def test_the_longest_record_keeps_its_size():
    rec = _record()
    for _ in range(600):
        for direction in range(2):
            rec.add_headway(direction, 3_600_000, 3_600_000, 3_600_000)
            rec.add(direction, 0, 5000, 5000)
    rec.uptime, rec.why, rec.sync_age, rec.supply_mv = 0xFFFFFFFF, 0xFFFF, 0xFFFF, 0xFFFF
    rec.coverage, rec.length = 0, 0xFFFF
    for i in range(10):
        rec.counts[i], rec.totals[i] = 0xFFFF, 0x3FFFFFFF
    for i in range(64):
        rec.hist[i] = 2047  # of a direction's passages at most 65535 have a speed
    for direction in range(2):
        rec.speed_sum[direction] = 0xFFFFFFFF
    assert 280 < len(_packed(rec)) <= MAX_BYTES
    assert list(_copy(rec).spacing) == [600, 600] + [2_097_151] * 6 + [300_000] * 2


def test_the_measured_speed_is_kept_beside_the_corrected_one():
    rec = _record()
    rec.add(0, 2, 520, 18)
    rec.add(0, 2, 500)
    rec.add(1, 2, 400)
    copy = _copy(rec)
    assert _packed(rec)[0] == 3 and _packed(rec)[-3:] == b"\x80\x02\x02"
    assert list(copy.speed_sum) == [1020, 400]
    assert _json(copy)["speed"]["forward"]["raw"] == 50.0
    assert _json(copy)["speed"]["forward"]["mean"] == 51.0
    assert "spacing" not in _json(copy)


def test_a_record_that_is_cut_short_is_refused():
    data = _packed(_record((0, 2000, 1000, 500)))
    for cut in range(1, 5):
        try:
            Interval().unpack(data[:-cut], len(data) - cut)
        except ValueError:
            continue
        raise AssertionError("accepted without its last %d bytes" % cut)


def _json(rec):
    out = io.StringIO()
    write_interval(out, rec)
    return json.loads(out.getvalue())


def test_json_gives_means_and_shares_or_null():
    got = _json(_record((0, 2000, 1700, 4500), (0, 4000, 3500, 4500), (1, 700, -1, -1)))["spacing"]
    assert got["forward"] == {"headway": 3.0, "gap": 2.6, "n": 2, "occ": 1.0}
    assert got["backward"] == {"headway": 0.7, "gap": None, "n": 1, "occ": None}
    assert "spacing" not in _json(_record())


def test_the_occupancy_in_json_is_100_percent_at_most():
    rec = _record((0, -1, -1, 70_000))
    rec.coverage = 5  # for the rest of the minute the beam counted as blocked
    assert _json(rec)["spacing"]["forward"]["occ"] == 100
