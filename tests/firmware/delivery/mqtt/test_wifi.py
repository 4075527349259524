"""Wi-Fi: joins, watches, joins again, and reports progress while it does."""

import asyncio

from board_parts import FakeLog, FakeProgress, FakeWlan
from delivery.mqtt import wifi as module


class Fast:
    """asyncio without waiting. Keeps the waits, in seconds."""

    Event = asyncio.Event
    waits = []

    @staticmethod
    async def sleep(seconds):
        Fast.waits.append(seconds)
        await asyncio.sleep_ms(0)

    @staticmethod
    async def sleep_ms(ms):
        Fast.waits.append(ms / 1000)
        await asyncio.sleep_ms(0)


class Backoff:
    resets = 0

    def next_ms(self):
        return 120_000

    def reset(self):
        self.resets += 1


class Wlan(FakeWlan):
    def status(self, _what=None):
        return 201


def _watched(wlan, until, turns=500):
    """Run until until(wifi); return it, and its reports of progress."""
    module.asyncio = Fast
    Fast.waits = []
    progress, backoff = FakeProgress(), Backoff()
    wifi = module.Wifi(wlan, "street", "key", backoff, FakeLog(), rng=None)

    async def main():
        task = asyncio.create_task(wifi.run(progress))
        for _ in range(turns):
            await asyncio.sleep_ms(0)
            if until(wifi):
                break
        else:
            raise AssertionError("it takes too long")
        task.cancel()

    asyncio.run(main())
    return wifi, progress.reports


def test_a_network_that_is_there_is_joined_and_watched():
    wifi, reports = _watched(Wlan(joined=True), lambda wifi: len(Fast.waits) > 5)
    assert wifi.is_up() and wifi.joins == 1 and wifi.reason == 0
    assert set(Fast.waits) == {10} and set(reports) == {"made"}


def test_each_poll_is_progress_while_the_network_is_not_there():
    wifi, reports = _watched(Wlan(), lambda wifi: 120 in Fast.waits)
    assert not wifi.is_up() and wifi.reason == 201
    assert Fast.waits == [1] * 30 + [120] and len(reports) >= 30


def test_a_lost_network_is_joined_again():
    wlan = Wlan(joined=True)

    def flapped(wifi):
        wlan.joined = not (len(Fast.waits) == 3 and wifi.joins == 1)
        return wifi.joins == 2

    wifi, _reports = _watched(wlan, flapped)
    assert wifi.is_up()
