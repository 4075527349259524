"""Calibration: a technician's manual tally against the node's own count between start and stop.

A restart in between ends it, because the passages meanwhile are unknown.
"""

from core.faults import CommandError
from wire.record import CLASSES, DIRECTIONS

_TALLY_MAX = 100_000


def calibrate(app, body):
    """Begin to count, or compare the tally with the count since then.

    body: `do`, "start" or "stop"; for the latter `tally` and `limit_pct`.
    """
    record = app.counter.rec
    if body.get("do") == "start":
        app.tally = tuple(record.totals)
        return "counting; now tally by hand, then stop"
    if body.get("do") != "stop":
        raise CommandError("calibrate needs do: start or stop")
    if app.tally is None:
        raise CommandError("calibrate: not started, or the node restarted; start it again")
    result = _finish(app.tally, record, body, app.config["privacy_k"])
    app.tally = None
    app.uplink.event(
        "calibration", error_pct=result["total_error_pct"], limit_pct=result["limit_pct"],
        ok=result["pass"],
    )  # fmt: skip
    return result


def _finish(began, record, body, k):
    """Return the result as a dict. Raises CommandError for a bad tally or limit.

    began: the cumulative totals at the start. body: `tally`, {direction: {class: number}}, where a
    missing number is 0, and `limit_pct`, 1 to 50, of the total error. k: fewer road users of a
    direction are counted as unknown.
    """
    limit = body.get("limit_pct", 5)
    if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not 1 <= limit <= 50:
        raise CommandError("calibrate: limit_pct = %r, wanted 1..50 %%" % limit)
    tally = _tally(body.get("tally"))
    passed = sum(sum(classes.values()) for classes in tally.values())
    if not passed:
        raise CommandError("calibrate: an empty tally says nothing")
    counted, error = _counted(began, record, k), {}
    noted = sum(sum(classes.values()) for classes in counted.values())
    for direction in DIRECTIONS:
        for cls in CLASSES:
            seen = tally[direction][cls]
            if seen:
                error["%s.%s" % (direction, cls)] = _percent(counted[direction][cls], seen)
    total = _percent(noted, passed)
    return {
        "counted": counted, "tally": tally, "error_pct": error, "total_error_pct": total,
        "limit_pct": limit, "pass": abs(total) <= limit,
    }  # fmt: skip


def _percent(counted, passed):
    return round(100 * (counted - passed) / passed, 1)


def _counted(began, record, k):
    counted = {}
    for d, direction in enumerate(DIRECTIONS):
        row = [_grown(began[i], record.totals[i]) for i in range(5 * d, 5 * d + 5)]
        for c in range(4):
            if row[c] < 0:  # counted before, and moved to unknown since: see Interval.withhold
                row[4] += row[c]
                row[c] = 0
        if sum(row) < k:
            row = [0, 0, 0, 0, sum(row)]
        counted[direction] = {cls: row[c] for c, cls in enumerate(CLASSES)}
    return counted


def _grown(before, now):
    grown = (now - before) & 0x3FFFFFFF
    return grown - 0x40000000 if grown & 0x20000000 else grown


def _tally(given):
    if not isinstance(given, dict):
        raise CommandError("calibrate: tally = %r, wanted {direction: {class: number}}" % given)
    for direction in given:
        if direction not in DIRECTIONS or not isinstance(given[direction], dict):
            raise CommandError(
                "calibrate: tally.%s, wanted %s, each an object"
                % (direction, ", ".join(DIRECTIONS))
            )
    full = {}
    for direction in DIRECTIONS:
        row = given.get(direction, {})
        for cls, n in row.items():
            if cls not in CLASSES:
                raise CommandError("calibrate: class %r; known: %s" % (cls, ", ".join(CLASSES)))
            if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= _TALLY_MAX:
                raise CommandError(
                    "calibrate: %s.%s = %r, wanted 0..%d" % (direction, cls, n, _TALLY_MAX)
                )
        full[direction] = {cls: row.get(cls, 0) for cls in CLASSES}
    return full
