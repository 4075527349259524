"""The JSON forms of the MQTT topics (ARCHITECTURE, delivery). Times are RFC 3339, UTC.

The text goes in small pieces to `out`, an object with `write(text)`. A record makes 1.1 KB of
JSON, and never stands in memory as a whole, neither as dicts nor as text.
"""

from wire.message import VERSION
from wire.record import ANGLE_SUM, BIN_KMH, BINS, CLASSES, DIRECTIONS, RESET_CAUSES

TIME_SOURCES = ("none", "rtc", "ntp", "lorawan", "anchor")
DETECTOR_STATES = (
    "unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured"
)  # fmt: skip
REASONS = (
    "boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config",
    "forward_unseen", "backward_unseen", "line_unseen", "silence",
)  # fmt: skip


def rfc3339(unix):
    """UTC seconds since 1970 as text. Pure arithmetic (days to civil date), for any epoch."""
    days, rest = divmod(unix, 86400)
    z = days + 719468
    era, doe = divmod(z, 146097)
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    day = doy - (153 * mp + 2) // 5 + 1
    clock = (rest // 3600, rest // 60 % 60, rest % 60)
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % ((year, month, day) + clock)


def _classes(out, direction, values):
    out.write('"%s":{' % DIRECTIONS[direction])
    for i in range(len(CLASSES)):
        comma = "," if i else ""
        out.write('%s"%s":%d' % (comma, CLASSES[i], values[direction * len(CLASSES) + i]))
    out.write("}")


def _both(out, name, values):
    out.write('"%s":{' % name)
    _classes(out, 0, values)
    out.write(",")
    _classes(out, 1, values)
    out.write("},")


def _speed(out, rec, direction):
    n = rec.speed_n[direction]
    mean = raw = "null"
    if n:
        mean = "%.1f" % (rec.speed_sum[direction] / (10 * n))
        raw = "%.1f" % (
            (rec.speed_sum[direction] - 10 * rec.spacing[ANGLE_SUM + direction]) / (10 * n)
        )
    text = '"%s":{"mean":%s,"raw":%s,"n":%d,"hist":['
    out.write(text % (DIRECTIONS[direction], mean, raw, n))
    comma = ""
    for i in range(BINS):
        count = rec.hist[direction * BINS + i]
        if count:
            out.write("%s[%d,%d]" % (comma, i, count))
            comma = ","
    out.write("]}")


def _ratio(out, name, value, base, limit):
    """Write `value` / `base` with two decimals, at most `limit`. null if either is 0."""
    text = "%.2f" % min(limit, value / base) if value and base else "null"
    out.write('"%s":%s,' % (name, text))


def _spacing(out, rec, direction):
    """Write headway and gap in seconds, `occ` in percent of the observed time."""
    sums = rec.spacing
    n = sums[direction]
    out.write('"%s":{' % DIRECTIONS[direction])
    _ratio(out, "headway", sums[2 + direction], 10 * n, 3600)
    _ratio(out, "gap", sums[4 + direction], 10 * n, 3600)
    _ratio(out, "occ", sums[6 + direction], rec.coverage, 100)
    out.write('"n":%d}' % n)


def _or_null(value, unknown):
    return "null" if value == unknown else str(value)


def write_interval(out, rec):
    """Write one interval record as a JSON object."""
    start = '"%s"' % rfc3339(rec.start) if rec.start else "null"
    out.write(
        '{"seq":%d,"start":%s,"len":%d,"cov":%d,"why":['
        % (rec.seq, start, rec.length, rec.coverage)
    )
    out.write(",".join('"%s"' % REASONS[i] for i in range(len(REASONS)) if rec.why >> i & 1))
    out.write("],")
    _both(out, "counts", rec.counts)
    _both(out, "total", rec.totals)
    out.write('"speed":{')
    _speed(out, rec, 0)
    out.write(",")
    _speed(out, rec, 1)
    if any(rec.spacing[:8]):
        out.write('},"spacing":{')
        _spacing(out, rec, 0)
        out.write(",")
        _spacing(out, rec, 1)
    out.write(
        '},"boot":%d,"uptime":%d,"time":{"src":"%s","age":%s},' % (
            rec.boot, rec.uptime, TIME_SOURCES[rec.time_source], _or_null(rec.sync_age, 0xFFFF)
        )
    )  # fmt: skip
    out.write(
        '"det":"%s","reset":"%s","cfg":"%08x","mv":%s,"temp":%s}' % (
            DETECTOR_STATES[rec.detector], RESET_CAUSES[rec.reset_cause], rec.config_hash,
            _or_null(rec.supply_mv, 0), _or_null(rec.temp_c, -128),
        )
    )  # fmt: skip


def open_counts(out, node, log_id):
    """Begin the payload of `counts`. Records with commas between them follow, then `CLOSE`."""
    out.write('{"v":%d,"node":"%s","log":"%08x","bin_kmh":%d,"recs":[' % (
        VERSION, node, log_id, BIN_KMH
    ))  # fmt: skip


CLOSE = "]}"
