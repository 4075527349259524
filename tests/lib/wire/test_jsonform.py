"""The JSON forms of the topics: the text parses to the same data, bad input is refused."""

import io
import json

from mqtt.frame import Frame
from wire.jsonform import CLOSE, open_counts, rfc3339, write_interval
from wire.message import envelope, parse_ack
from wire.record import BINS, CLASSES, Interval


def _sample():
    rec = Interval()
    rec.reset(1_700_000_100, 1000)
    rec.seq = 4711
    rec.boot, rec.reset_cause, rec.config_hash = 7, 3, 0xBEEF
    rec.length, rec.coverage, rec.why = 900, 896, 0
    rec.time_source, rec.sync_age, rec.detector = 2, 10, 1
    rec.supply_mv, rec.temp_c = 3300, -5
    rec.add(0, 2, 501)
    rec.add(0, 2, 502)
    rec.add(0, 0, -1)
    rec.add(1, 3, 1500)
    return rec


def _text(rec):
    out = io.StringIO()
    write_interval(out, rec)
    return out.getvalue()


def _written(rec):
    return json.loads(_text(rec))


def _refused(payload):
    try:
        parse_ack(payload)
    except ValueError as error:
        return str(error)
    raise AssertionError("accepted: %r" % payload)


def test_an_interval_has_all_fields_of_the_record():
    got = _written(_sample())
    assert got["seq"] == 4711 and got["start"] == "2023-11-14T22:15:00Z"
    assert got["len"] == 900 and got["cov"] == 896 and got["why"] == []
    assert got["counts"]["forward"] == {
        "pedestrian": 1, "bicycle": 0, "car": 2, "heavy": 0, "unknown": 0,
    }  # fmt: skip
    assert got["counts"]["backward"]["heavy"] == 1
    assert got["total"] == got["counts"]
    assert got["boot"] == 7 and got["uptime"] == 1000
    assert got["time"] == {"src": "ntp", "age": 10}
    assert got["det"] == "ok" and got["reset"] == "watchdog" and got["cfg"] == "0000beef"
    assert got["mv"] == 3300 and got["temp"] == -5


def test_speeds_are_a_mean_in_kmh_and_a_sparse_histogram():
    speed = _written(_sample())["speed"]
    assert speed["forward"]["n"] == 2 and speed["forward"]["hist"] == [[12, 2]]
    assert abs(speed["forward"]["mean"] - 50.15) <= 0.06
    assert speed["backward"] == {"mean": 150.0, "raw": 150.0, "n": 1, "hist": [[31, 1]]}


def test_an_unknown_field_is_null():
    rec = Interval()
    got = _written(rec)
    assert got["start"] is None and got["mv"] is None and got["temp"] is None
    assert got["time"] == {"src": "none", "age": None}
    assert got["speed"]["forward"] == {"mean": None, "raw": None, "n": 0, "hist": []}
    assert got["det"] == "unknown" and got["reset"] == "unknown"


def test_a_value_next_to_unknown_is_a_number():
    rec = Interval()
    rec.supply_mv, rec.temp_c, rec.sync_age = 1, -127, 65_534
    got = _written(rec)
    assert got["mv"] == 1 and got["temp"] == -127 and got["time"]["age"] == 65_534
    rec.temp_c = rec.sync_age = 0
    got = _written(rec)
    assert got["temp"] == 0 and got["time"]["age"] == 0


def test_every_reason_has_its_name():
    names = (
        "boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config",
    )  # fmt: skip
    rec = Interval()
    for i, name in enumerate(names):
        rec.why = 1 << i
        assert _written(rec)["why"] == [name]
    rec.why = 0xFF
    assert _written(rec)["why"] == list(names)


def test_every_detector_state_time_source_and_reset_cause_has_a_name():
    rec = Interval()
    for field, key, count in (("detector", "det", 7), ("reset_cause", "reset", 6)):
        names = []
        for i in range(count):
            setattr(rec, field, i)
            names.append(_written(rec)[key])
        assert len(set(names)) == count
    sources = []
    for rec.time_source in range(5):
        sources.append(_written(rec)["time"]["src"])
    assert sources == ["none", "rtc", "ntp", "lorawan", "anchor"]


def _largest():
    rec = _sample()
    rec.seq = rec.start = rec.uptime = rec.config_hash = 0xFFFFFFFF
    rec.boot = rec.length = rec.coverage = rec.supply_mv = 0xFFFF
    rec.why, rec.detector, rec.sync_age, rec.temp_c = 0xFF, 6, 0xFFFE, -127
    for i in range(10):
        rec.counts[i], rec.totals[i] = 0xFFFF, 0x3FFFFFFF
    for i in range(2):
        rec.speed_sum[i], rec.speed_n[i] = 0xFFFFFFFF, 0xFFFF
    for i in range(2 * BINS):
        rec.hist[i] = 0xFFFF
    return rec


def test_the_largest_interval_parses_and_fits_the_smallest_frame():
    got = _written(_largest())
    assert len(got["speed"]["backward"]["hist"]) == BINS
    assert got["counts"]["backward"]["unknown"] == 65_535
    frame = Frame(2048)  # the smallest frame of a link
    frame.start(b"r" * 40 + b"/" + b"n" * 32 + b"/counts", 1)
    open_counts(frame, "n" * 32, 0xFFFFFFFF)
    write_interval(frame, _largest())
    frame.write(CLOSE)


def test_rfc3339_knows_the_calendar():
    for unix, text in (
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:01Z"),
        (68_169_599, "1972-02-28T23:59:59Z"),
        (68_169_600, "1972-02-29T00:00:00Z"),
        (68_256_000, "1972-03-01T00:00:00Z"),
        (946_684_799, "1999-12-31T23:59:59Z"),
        (946_684_800, "2000-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_709_210_096, "2024-02-29T12:34:56Z"),
        (1_740_787_199, "2025-02-28T23:59:59Z"),
        (1_740_787_200, "2025-03-01T00:00:00Z"),
        (2_147_483_648, "2038-01-19T03:14:08Z"),
        (4_102_444_799, "2099-12-31T23:59:59Z"),
        (4_107_542_399, "2100-02-28T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (0xFFFFFFFF, "2106-02-07T06:28:15Z"),
    ):
        assert rfc3339(unix) == text, (rfc3339(unix), text)


def test_rfc3339_steps_by_one_day_through_two_centuries():
    months = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    year, month, day = 1970, 1, 1
    for n in range(130 * 365):
        assert rfc3339(n * 86400) == "%04d-%02d-%02dT00:00:00Z" % (year, month, day)
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        day += 1
        if day > months[month - 1] + (1 if leap and month == 2 else 0):
            day, month = 1, month + 1
        if month > 12:
            month, year = 1, year + 1


def test_counts_open_and_close_around_any_number_of_records():
    for count in range(3):
        out = io.StringIO()
        open_counts(out, "n1", 0xAB)
        out.write(",".join(_text(_sample()) for _ in range(count)))
        out.write(CLOSE)
        got = json.loads(out.getvalue())
        assert got["v"] == 1 and got["node"] == "n1" and got["log"] == "000000ab"
        assert got["bin_kmh"] == 4 and len(got["recs"]) == count
        assert all(set(rec["counts"]["forward"]) == set(CLASSES) for rec in got["recs"])


def test_an_envelope_names_version_node_and_log():
    got = envelope("n1", 1, {"event": "start"})
    assert got == {"event": "start", "v": 1, "node": "n1", "log": "00000001"}


def test_an_acknowledgement_is_parsed():
    assert parse_ack('{"v":1,"log":"0000beef","seq":12}') == (0xBEEF, 12)
    assert parse_ack(b'{"seq":0,"log":"ffffffff","v":1,"more":null}') == (0xFFFFFFFF, 0)


def test_an_acknowledgement_that_is_not_json_is_refused():
    for payload in (b"", b"{", b"\xff\xfe\x00", b"ack", b'{"v":1', b'{"v":1}}', b"[" * 300):
        _refused(payload)


def test_an_acknowledgement_of_another_version_or_shape_is_refused():
    for payload in ("[]", "1", "null", '"x"', "{}", '{"v":2,"log":"1","seq":1}', '{"v":"1"}'):
        assert "version" in _refused(payload)


def test_an_acknowledgement_without_log_or_number_is_refused():
    for rest in (
        "", '"log":"ab"', '"seq":1', '"log":171,"seq":1', '"log":"ab","seq":"1"',
        '"log":"ab","seq":1.5', '"log":"ab","seq":true', '"log":"ab","seq":null',
        '"log":null,"seq":1', '"log":["ab"],"seq":1', '"log":"","seq":1', '"log":"xyz","seq":1',
    ):  # fmt: skip
        _refused('{"v":1%s}' % ("," + rest if rest else ""))
