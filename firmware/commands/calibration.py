"""A technician's manual tally against the node's own count: the error, and whether it is kept.

Loaded for the command alone. The node compares what it has counted between start and stop; a
restart in between ends it, because nobody knows what passed meanwhile.
"""

from core.faults import CommandError
from wire.record import CLASSES, DIRECTIONS

_MOST = 100_000


def calibrate(app, body):
    """Begin to count, or hold the tally against what was counted since; see commands.py."""
    record = app.counter.rec
    if body.get("do") == "start":
        app.tally = tuple(record.totals)
        return "counting; now tally by hand, then stop"
    if body.get("do") != "stop":
        raise CommandError("calibrate needs do: start or stop")
    if app.tally is None:
        raise CommandError("calibrate: not started, or the node restarted; start it again")
    result = _finish(app.tally, record, body)
    app.tally = None
    app.uplink.event(
        "calibration", error_pct=result["total_error_pct"], limit_pct=result["limit_pct"],
        ok=result["pass"],
    )  # fmt: skip
    return result


def _finish(began, record, body):
    """The result as a dict; raises CommandError for a bad tally or limit.

    began: the cumulative totals at the start. body: `tally`, {direction: {class: number}}, what is
    missing is 0; `limit_pct`, 1 to 50, of the error of all together.
    """
    limit = body.get("limit_pct", 5)
    if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not 1 <= limit <= 50:
        raise CommandError("calibrate: limit_pct = %r, wanted 1..50 %%" % limit)
    tally = _tally(body.get("tally"))
    passed = sum(sum(classes.values()) for classes in tally.values())
    if not passed:
        raise CommandError("calibrate: an empty tally says nothing")
    counted, error = _counted(began, record), {}
    noted = sum(sum(classes.values()) for classes in counted.values())
    for way in DIRECTIONS:
        for cls in CLASSES:
            seen = tally[way][cls]
            if seen:
                error["%s.%s" % (way, cls)] = _percent(counted[way][cls], seen)
    total = _percent(noted, passed)
    return {
        "counted": counted, "tally": tally, "error_pct": error, "total_error_pct": total,
        "limit_pct": limit, "pass": abs(total) <= limit,
    }  # fmt: skip


def _percent(counted, passed):
    return round(100 * (counted - passed) / passed, 1)


def _counted(began, record):
    counted = {}
    for w, way in enumerate(DIRECTIONS):
        counted[way] = {}
        for c, cls in enumerate(CLASSES):
            i = w * len(CLASSES) + c
            counted[way][cls] = (record.totals[i] - began[i]) & 0x3FFFFFFF
    return counted


def _tally(given):
    if not isinstance(given, dict):
        raise CommandError("calibrate: tally = %r, wanted {direction: {class: number}}" % given)
    for way in given:
        if way not in DIRECTIONS or not isinstance(given[way], dict):
            raise CommandError(
                "calibrate: tally.%s, wanted %s, each an object" % (way, ", ".join(DIRECTIONS))
            )
    full = {}
    for way in DIRECTIONS:
        row = given.get(way, {})
        for cls, n in row.items():
            if cls not in CLASSES:
                raise CommandError("calibrate: class %r; known: %s" % (cls, ", ".join(CLASSES)))
            if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n <= _MOST:
                raise CommandError("calibrate: %s.%s = %r, wanted 0..%d" % (way, cls, n, _MOST))
        full[way] = {cls: row.get(cls, 0) for cls in CLASSES}
    return full
