"""The clock: set by NTP, reports steps, refuses an implausible answer."""

import asyncio
import sys
import time

from board_parts import FakeLog, FakeProgress

NOW = 1_800_000_000
OFFSET = 946_684_800 if time.gmtime(0)[0] == 2000 else 0


class Ntp:
    """Stands for the package `sntp`: each server answers `utc`, or raises it. A list: in turn."""

    utc = NOW
    asked = 0

    @classmethod
    async def ask(cls, _address, _rng):
        cls.asked += 1
        answer = cls.utc.pop(0) if isinstance(cls.utc, list) else cls.utc
        if isinstance(answer, Exception):
            raise answer
        return answer


sys.modules["sntp"] = Ntp

from core import clock as module  # noqa: E402 - needs the servers above

HOSTS = ("a.example", "b.example")
BOTH_SILENT = [OSError(110), OSError(110)]


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
        asyncio.run(self.clock.sync(HOSTS, Network()))


class Network:
    """A network that comes at once. waited: questions that were asked before each wait for it."""

    def __init__(self):
        self.waited = []

    async def wait_up(self):
        self.waited.append(Ntp.asked)
        await asyncio.sleep_ms(0)

    @staticmethod
    def rng(_bits):
        return 1

    async def resolve(self, host):
        return host


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
        for utc in (0, 1, 946_684_800, 1_735_689_599, 4_102_444_800):
            try:
                wall.sync(utc)
                raise AssertionError(utc)
            except OSError as error:
                assert "implausible" in str(error)
        assert wall.sets == [] and wall.steps == [] and wall.clock.utc() == known
        assert wall.clock.source == (module.RTC if known else module.NONE)
        assert wall.clock.age_s() == 0xFFFF


def test_a_step_of_more_than_a_minute_needs_two_servers_that_agree():
    """One forged answer cost a day of counts their times."""
    for step in (180, -180, 86_400, -86_400, 631_152_000):
        wall = Wall(NOW)
        wall.sync(NOW)
        assert "no second source" in _refused(wall, [NOW + step, OSError(110)])
        assert "no second source" in _refused(wall, [OSError(110), NOW + step])
        assert "servers differ" in _refused(wall, [NOW + step, NOW + 2 * step])
        wall.sync([NOW + step, NOW + 5])
        assert wall.clock.utc() == NOW + 5, "the second one says what the clock says"
        wall.sync([NOW + step, NOW + step + 60])
        assert wall.clock.utc() == NOW + step + 60


def test_a_step_of_up_to_a_minute_asks_one_server():
    wall = Wall(NOW)
    for step in (0, 60, -60):
        Ntp.asked = 0
        wall.sync(wall.unix + step)
        assert Ntp.asked == 1


def test_the_same_address_is_no_second_source():
    wall = Wall(NOW)
    wall.sync(NOW)
    Ntp.utc = NOW + 900
    try:
        asyncio.run(wall.clock.sync(("a.example", "a.example"), Network()))
        raise AssertionError
    except OSError as error:
        assert "no second source" in str(error)


def test_a_clock_that_is_not_fresh_follows_a_single_server():
    for known, uptime in ((0, 0), (NOW, 0)):
        wall = Wall(known)
        wall.sync([OSError(110), NOW + 900], uptime)
        assert wall.clock.utc() == NOW + 900
    wall = Wall(NOW)
    wall.sync(NOW, uptime=1000)
    wall.sync([NOW + 900, OSError(110)], uptime=1000 + 64_800)
    assert wall.clock.utc() == NOW + 900
    assert "servers differ" in _refused(Wall(0), [NOW, NOW + 86_400])


def _refused(wall, answers):
    before = wall.clock.utc(), len(wall.sets)
    try:
        wall.sync(answers)
    except OSError as error:
        assert (wall.clock.utc(), len(wall.sets)) == before
        return str(error)
    raise AssertionError("accepted")


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


async def _run(wall, turns=3000):
    network, progress = Network(), FakeProgress()
    task = asyncio.create_task(wall.clock.run(HOSTS, network, progress))
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
    Ntp.utc, Ntp.asked = BOTH_SILENT + BOTH_SILENT + [500, 500, NOW, NOW], 0
    waited, _reports = asyncio.run(_run(wall))
    assert wall.clock.failures == 3 and len(wall.waits) == 3 and wall.resets == 1
    assert [level for level, _text in wall.log.lines] == ["warn"] * 3
    assert wall.clock.utc() == NOW
    assert waited == [0, 2, 4, 6], "every try waits for the network first"


def test_after_an_answer_the_next_question_comes_an_hour_later():
    wall = Wall(0)
    Ntp.utc, Ntp.asked = NOW, 0
    asyncio.run(_run(wall))
    assert Ntp.asked == 2 and wall.resets == 1 and wall.clock.failures == 0


def test_a_synchronised_clock_asks_a_silent_server_seldom():
    wall = Wall(0)
    wall.sync(NOW)
    Ntp.utc, Ntp.asked = [OSError(-202), OSError(-202), NOW], 0
    asyncio.run(_run(wall, 50))
    assert Ntp.asked == 2 and wall.clock.failures == 1
    assert wall.log.lines == [("warn", "ntp: OSError(-202,), next try in 900 s")]


def test_a_clock_is_idle_without_a_network_and_reports_each_question():
    wall = Wall(0)
    Ntp.utc, Ntp.asked = BOTH_SILENT + [NOW, NOW], 0
    _waited, reports = asyncio.run(_run(wall))
    assert reports == ["idle", "made", "made"] * 2
