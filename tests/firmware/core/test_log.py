"""The log: what it keeps, what it drops, and the uptime that its lines begin with."""

import time

from core import log as module


class Ticks:
    """Stands for the module `time`: ticks that wrap as on the node."""

    ticks_diff, ticks_add = time.ticks_diff, time.ticks_add

    def __init__(self, ms=0):
        self.ms = ms

    def ticks_ms(self):
        return self.ms

    def go(self, ms):
        self.ms = time.ticks_add(self.ms, ms)


def _log(ms=0, **options):
    """A log, and the ticks that it goes by."""
    module.time = ticks = Ticks(ms)
    return module.Log(**options), ticks


def _told(log):
    log.debug("a")
    log.info("b")
    log.warn("c")
    log.error("d")
    return [line.split()[1] for line in log.tail()]


def test_lines_below_the_level_are_dropped():
    names = ["debug", "info", "warn", "error"]
    for level in (module.DEBUG, module.INFO, module.WARN, module.ERROR):
        assert _told(_log(level=level)[0]) == names[level:]
    assert _told(_log()[0]) == names[1:], "as long as there is no configuration"


def test_a_line_has_uptime_level_and_text():
    log, ticks = _log()
    ticks.go(12_999)
    log.warn("%s: %d bytes left", "ring", 7)
    log.info("100 % sure")
    assert log.tail() == ["12 warn ring: 7 bytes left", "12 info 100 % sure"]


def test_the_last_sixteen_lines_are_kept_oldest_first():
    log, _ticks = _log()
    assert log.tail() == []
    for i in range(40):
        log.info("line %d", i)
        first = max(0, i - 15)
        assert log.tail() == ["0 info line %d" % n for n in range(first, i + 1)]


def test_the_uptime_goes_on_where_ticks_wrap_and_loses_no_part_of_a_second():
    log, ticks = _log(time.ticks_add(0, -2500))
    for i in range(1, 41):
        ticks.go(700)
        assert log.uptime_s() == i * 700 // 1000
    for days in range(1, 40):
        ticks.go(86_400_000)
        assert log.uptime_s() == 28 + 86_400 * days
