"""The clock: set by NTP, reports steps, refuses an implausible answer."""

import asyncio
import time

from board_parts import FakeLog, FakeProgress
from core import clock as module

NOW = 1_800_000_000
OFFSET = 946_684_800 if time.gmtime(0)[0] == 2000 else 0


class Ntp:
    """Stands for the port's module `ntptime`: answers `utc`, or raises it."""

    host = timeout = None
    utc = NOW
    asked = 0

    @classmethod
    def time(cls):
        cls.asked += 1
        answer = cls.utc.pop(0) if isinstance(cls.utc, list) else cls.utc
        if isinstance(answer, Exception):
            raise answer
        return answer - OFFSET


class Wall:
    """The board's real-time clock, and everything a Clock is given."""

    def __init__(self, utc):
        self.unix = utc
        self.uptime = 0
        self.sets = []
        self.steps = []
        self.waits = []
        self.resets = 0
        self.log = FakeLog()
        module.time = self
        self.clock = module.Clock(self.set, lambda: self.uptime, self, self.log)
        self.clock.on_step = self.stepped

    def time(self):
        return self.unix - OFFSET

    def set(self, utc):
        self.sets.append(utc)
        self.unix = utc

    def stepped(self, old):
        self.steps.append((old, self.clock.utc()))

    def next_ms(self):
        self.waits.append(1)
        return 1

    def reset(self):
        self.resets += 1

    def sync(self, utc, uptime=0):
        Ntp.utc, self.uptime = utc, uptime
        self.clock.sync(Ntp, "ntp.example")


def test_a_clock_that_was_never_set_has_no_time():
    for utc in (0, 946_684_800, 1_735_689_599):
        clock = Wall(utc).clock
        assert clock.utc() == 0 and clock.source == module.NONE and clock.age_s() == 0xFFFF


def test_a_plausible_clock_is_taken_over_from_before_the_reset():
    for utc in (1_735_689_600, NOW):
        clock = Wall(utc).clock
        assert clock.utc() == utc and clock.source == module.RTC and clock.age_s() == 0xFFFF


def test_the_first_answer_sets_the_clock_and_reports_that_it_was_unknown():
    wall = Wall(0)
    wall.sync(NOW, uptime=9)
    assert wall.sets == [NOW] and wall.steps == [(0, NOW)]
    assert wall.clock.utc() == NOW and wall.clock.source == module.NTP
    assert Ntp.host == "ntp.example" and Ntp.timeout == 1


def test_a_step_is_reported_with_the_time_before_it():
    for step in (86_400, -86_400, 2, -2, 600):
        wall = Wall(NOW)
        wall.sync(NOW + step)
        assert wall.sets == [NOW + step] and wall.steps == [(NOW, NOW + step)]


def test_a_correction_by_a_second_is_no_step():
    for step in (1, -1):
        wall = Wall(NOW)
        wall.sync(NOW + step)
        assert wall.sets == [NOW + step] and wall.steps == []


def test_a_right_clock_is_left_alone_but_counts_as_synchronised():
    wall = Wall(NOW)
    wall.sync(NOW, uptime=50)
    assert wall.sets == [] and wall.steps == []
    assert wall.clock.source == module.NTP and wall.clock.age_s() == 0


def test_an_implausible_answer_is_refused_and_changes_nothing():
    for known in (0, NOW):
        wall = Wall(known)
        for utc in (0, 1, 946_684_800, 1_735_689_599, 2_085_978_496, 4_102_444_800):
            try:
                wall.sync(utc)
                raise AssertionError(utc)
            except OSError as error:
                assert "implausible" in str(error)
        assert wall.sets == [] and wall.steps == [] and wall.clock.utc() == known
        assert wall.clock.source == (module.RTC if known else module.NONE)
        assert wall.clock.age_s() == 0xFFFF


def test_an_answer_cut_short_is_a_failure_like_any_other():
    for error in (ValueError("buffer too small"), IndexError(), MemoryError()):
        wall = Wall(NOW)
        try:
            wall.sync(error)
            raise AssertionError(error)
        except OSError as failure:
            assert ("no memory" if isinstance(error, MemoryError) else "cut short") in str(failure)
        assert wall.sets == [] and wall.clock.age_s() == 0xFFFF


def test_the_earliest_plausible_answer_sets_the_clock():
    wall = Wall(0)
    wall.sync(1_735_689_600)
    assert wall.clock.utc() == 1_735_689_600


def test_the_age_counts_from_the_last_answer_and_stops_short_of_unknown():
    wall = Wall(0)
    wall.sync(NOW, uptime=100)
    for uptime, age in ((100, 0), (101, 1), (65_633, 65_533), (65_634, 65_534), (1 << 30, 65_534)):
        wall.uptime = uptime
        assert wall.clock.age_s() == age
    wall.sync(NOW, uptime=1 << 30)
    assert wall.clock.age_s() == 0


def test_a_clock_without_a_listener_may_step():
    wall = Wall(0)
    wall.clock.on_step = None
    wall.sync(NOW)
    assert wall.clock.utc() == NOW


class Network:
    """A network that comes at once. waited: questions that were asked before each wait for it."""

    def __init__(self):
        self.waited = []

    async def wait_up(self):
        self.waited.append(Ntp.asked)
        await asyncio.sleep_ms(0)

    async def resolve(self, host):
        return host


async def _run(wall, turns=3000):
    network, progress = Network(), FakeProgress()
    task = asyncio.create_task(wall.clock.run(Ntp, "ntp.example", network, progress))
    for _ in range(turns):
        if wall.resets:
            break
        await asyncio.sleep_ms(1)
    await asyncio.sleep_ms(20)
    assert not task.done()
    task.cancel()
    return network.waited, progress.reports


def test_a_failure_is_counted_and_tried_again_after_the_backoff():
    wall = Wall(0)
    Ntp.utc, Ntp.asked = [OSError(110), OSError(-202), 5, NOW], 0
    waited, _reports = asyncio.run(_run(wall))
    assert wall.clock.failures == 3 and len(wall.waits) == 3 and wall.resets == 1
    assert [level for level, _text in wall.log.lines] == ["warn"] * 3
    assert wall.clock.utc() == NOW
    assert waited == [0, 1, 2, 3], "every try waits for the network first"


def test_after_an_answer_the_next_question_comes_an_hour_later():
    wall = Wall(0)
    Ntp.utc, Ntp.asked = NOW, 0
    asyncio.run(_run(wall))
    assert Ntp.asked == 1 and wall.resets == 1 and wall.clock.failures == 0


def test_a_synchronised_clock_asks_a_silent_server_seldom():
    wall = Wall(0)
    wall.sync(NOW)
    Ntp.utc, Ntp.asked = [OSError(-202), NOW], 0
    asyncio.run(_run(wall, 50))
    assert Ntp.asked == 1 and wall.clock.failures == 1
    assert wall.log.lines == [("warn", "ntp: OSError(-202,), next try in 900 s")]


def test_a_clock_is_idle_without_a_network_and_reports_each_question():
    wall = Wall(0)
    Ntp.utc, Ntp.asked = [OSError(110), NOW], 0
    _waited, reports = asyncio.run(_run(wall))
    assert reports == ["idle", "made", "made"] * 2
