"""The JSON forms of the MQTT topics (ARCHITECTURE section 6). Times are RFC 3339, UTC.

A batch is written piece by piece into one string: building dicts of dicts first would need three
times the memory.
"""

import json

from wire.record import BIN_KMH, BINS, CLASSES, DIRECTIONS

VERSION = 1
TIME_SOURCES = ("none", "rtc", "ntp", "lorawan", "anchor")
DETECTOR_STATES = (
    "unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured"
)  # fmt: skip
RESET_CAUSES = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")
REASONS = (
    "boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config"
)  # fmt: skip


def rfc3339(unix):
    """UTC seconds since 1970 as text; pure arithmetic (days to civil date), any epoch."""
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


def _classes(values, direction):
    return ",".join('"%s":%d' % (CLASSES[i], values[direction * 5 + i]) for i in range(5))


def _both(values):
    return '{"forward":{%s},"backward":{%s}}' % (_classes(values, 0), _classes(values, 1))


def _speed(rec, direction):
    n = rec.speed_n[direction]
    mean = "%.1f" % (rec.speed_sum[direction] / (10 * n)) if n else "null"
    first = direction * BINS
    bins = ",".join(
        "[%d,%d]" % (i, rec.hist[first + i]) for i in range(BINS) if rec.hist[first + i]
    )
    return '"%s":{"mean":%s,"n":%d,"hist":[%s]}' % (DIRECTIONS[direction], mean, n, bins)


def _or_null(value, unknown):
    return "null" if value == unknown else str(value)


def interval_json(rec):
    """One interval record as a JSON object (text)."""
    start = '"%s"' % rfc3339(rec.start) if rec.start else "null"
    why = ",".join('"%s"' % REASONS[i] for i in range(len(REASONS)) if rec.why >> i & 1)
    head = '{"seq":%d,"start":%s,"len":%d,"cov":%d,"why":[%s],' % (
        rec.seq, start, rec.length, rec.coverage, why
    )  # fmt: skip
    counts = '"counts":%s,"total":%s,' % (_both(rec.counts), _both(rec.totals))
    speed = '"speed":{%s,%s},' % (_speed(rec, 0), _speed(rec, 1))
    when = '"boot":%d,"uptime":%d,"time":{"src":"%s","age":%s},' % (
        rec.boot, rec.uptime, TIME_SOURCES[rec.time_source], _or_null(rec.sync_age, 0xFFFF)
    )  # fmt: skip
    state = '"det":"%s","reset":"%s","cfg":"%08x","mv":%s,"temp":%s}' % (
        DETECTOR_STATES[rec.detector], RESET_CAUSES[rec.reset_cause], rec.config_hash,
        _or_null(rec.supply_mv, 0), _or_null(rec.temp_c, -128),
    )  # fmt: skip
    return head + counts + speed + when + state


def counts_json(node, log_id, records):
    """The payload of `counts`: `records` are texts of `interval_json`, oldest first."""
    return '{"v":%d,"node":"%s","log":"%08x","bin_kmh":%d,"recs":[%s]}' % (
        VERSION, node, log_id, BIN_KMH, ",".join(records)
    )  # fmt: skip


def envelope(node, log_id, body):
    """Any other payload: `body` (a dict) with version, node and log id."""
    body["v"] = VERSION
    body["node"] = node
    body["log"] = "%08x" % log_id
    return json.dumps(body)


def parse_ack(payload):
    """Return (log id, seq) of the backend's acknowledgement; raises ValueError."""
    body = json.loads(payload)
    if not isinstance(body, dict) or body.get("v") != VERSION:
        raise ValueError("ack: not version %d" % VERSION)
    log, seq = body.get("log"), body.get("seq")
    if not isinstance(log, str) or not isinstance(seq, int) or isinstance(seq, bool):
        raise ValueError("ack: log must be 8 hex digits, seq a number")
    return int(log, 16), seq
