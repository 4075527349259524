"""Random lives of a device. The frames it sends keep every limit in all of them.

LORAWAN_SEEDS=200 runs more of them than the usual few.
"""

from __future__ import annotations

import os
import random

import pytest

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan import regions
from simulator.world.lorawan.join import cf_list
from simulator.world.lorawan.server import Message
from tests.conformance.support import properties
from tests.conformance.support.rig import SECOND, PowerCut, Rig, Transmission

SEEDS = range(1, 1 + int(os.environ.get("LORAWAN_SEEDS", "8")))
STEPS = 120
FREQS = {
    "EU868": (867_100_000, 867_300_000, 868_800_000, 869_525_000, 863_500_000, 869_800_000),
    "AS923": (922_000_000, 922_600_000, 915_000_000, 927_900_000),
    "US915": (923_900_000, 927_500_000),  # of downlinks
}


class Life:
    """One device from its first start, with power cuts, resets and random commands."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.boots = [0]
        self.region = rig.network.region
        self.freqs = FREQS[self.region.name]
        self.payload_max = 52 if rig.sure else 12
        rig.loss = self.random.choice((0.0, 0.1, 0.5))
        told = self.region.accept().cf_list
        if self.region.name != "US915":
            told = cf_list(*self.random.sample(self.freqs, self.random.randrange(4)))
        rig.enrol(cf_list=told, delay=self.random.choice((0, 1, 5, 15)))

    def live(self) -> None:
        known = False
        for _ in range(STEPS):
            try:
                if self.random.random() < 0.1:
                    self.rig.call("cut", self.random.randrange(1, 4), self.random.random() < 0.5)
                if not known:
                    known = self._join()
                else:
                    self._send()
                if self.random.random() < 0.04:
                    raise PowerCut
            except PowerCut:
                known = self._restart()

    def _restart(self) -> bool:
        """After a power cut, or a reset that RTC memory survives."""
        self.rig.now += self.random.randrange(60 * SECOND)
        self.rig.call("cut", 0, False)
        self.boots.append(self.rig.now)
        found = self.rig.boot(warm=self.random.random() < 0.3)
        return found and self.random.random() < 0.8  # or it joins again although it need not

    def _join(self) -> bool:
        self.rig.request_join(self.random.randrange(20 * SECOND))
        self.rig.run(until=self.rig.now + self.random.randrange(600 * SECOND))
        return bool(self.rig.pop_events("joined"))

    def _send(self) -> None:
        rig, network = self.rig, self.rig.network
        if rig.facts()["wants_uplink"] and self.random.random() < 0.5:
            rig.send(b"", None)
        network.window = self.random.choice((1, 2))
        if self.random.random() < 0.2 and network.latest:
            network.latest.requests += [self._request()]
        if self.random.random() < 0.2 and network.latest:
            network.latest.messages.append(Message(1, b"m", self.random.random() < 0.5))
        payload = bytes(self.random.randrange(self.payload_max))
        rig.call("send", rig.now, 9, payload.hex(), self.random.random() < 0.3)
        if self.random.random() < 0.05:  # in the middle of it
            rig.run(until=rig.now + self.random.randrange(4 * SECOND))
            raise PowerCut
        rig.run()
        rig.now += self.random.choice((0, 0, 0, 10, 300)) * SECOND

    def _request(self) -> mac.Request:
        draw = self.random.randrange
        freq = self.random.choice(self.freqs)
        lowest, above, rx2 = (8, 14, 923_300_000) if self.region.name == "US915" else (0, 6, freq)
        return self.random.choice(
            (
                mac.link_adr(draw(6), draw(8), 7, 6, 1),
                mac.link_adr(15, 15, 0, 6, draw(1, 4)),
                mac.link_adr(draw(6), 15, draw(1 << 16), draw(8)),
                mac.rx_timing(draw(16)),
                mac.rx_param(draw(6), draw(lowest, above), rx2),
                mac.new_channel(3 + draw(8), freq),
                mac.duty_cycle(self.random.choice((0, 0, 3, 7))),
                mac.dl_channel(draw(3), freq),
                mac.tx_param(draw(64)),
                mac.dev_status(),
            )
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_life_keeps_every_limit(seed: int) -> None:
    draw = random.Random(seed)
    error_us, clock_ppm = draw.choice((1000, 10_000, 40_000)), draw.choice((-50, 0, 50))
    with Rig(seed, error_us=error_us, clock_ppm=clock_ppm) as rig:
        life = Life(rig, seed)
        life.live()
        properties.duty_cycle(rig.sent)
        properties.join_airtime(rig.sent, life.boots)
        properties.counters(rig.sent)
        properties.windows(rig.windows, rig.ends)
        assert rig.network.joins.refused == []
        assert len(life.boots) > 3 and len(rig.sent) > 60


@pytest.mark.parametrize("seed", SEEDS[: len(SEEDS) // 3])
@pytest.mark.parametrize("region", [regions.Us915(), regions.Us915(3, False), regions.As923()])
def test_a_random_life_in_another_region_keeps_every_limit(
    region: regions.Region, seed: int
) -> None:
    draw = random.Random(f"{region.name}/{seed}")
    with Rig(seed, error_us=draw.choice((1000, 20_000)), region=region, sure=51) as rig:
        life = Life(rig, seed)
        life.live()
        properties.duty_cycle(rig.sent, region)
        properties.join_airtime(rig.sent, life.boots)
        properties.counters(rig.sent)
        properties.windows(rig.windows, rig.ends)
        assert rig.network.joins.refused == []
        assert len(life.boots) > 3 and len(rig.sent) > 60
        if region.name == "US915":
            assert max(f.end_us - f.begin_us for f in rig.sent) <= regions.DWELL_US


@pytest.mark.parametrize("seed", SEEDS)
def test_a_device_without_a_network_keeps_the_join_back_off(seed: int) -> None:
    with Rig(seed) as rig:
        rig.enrol()
        rig.network.silent = True
        rig.request_join()
        rig.run(until=40 * properties.HOUR)
        spent = properties.join_airtime(rig.sent, [0])
        assert len(spent) == 4 and min(spent) > 0
        properties.duty_cycle(rig.sent)
        properties.counters(rig.sent)


def _frame(begin_s: float, length_s: float = 1.5, raw: bytes = b"") -> Transmission:
    begin = round(begin_s * SECOND)
    end = begin + round(length_s * SECOND)
    return Transmission(begin, end, 868_100_000, 12, 125_000, 14, raw or bytes(23), 1)


def test_the_checks_find_an_offender() -> None:
    with pytest.raises(AssertionError, match="sub-band 2"):
        properties.duty_cycle([_frame(i * 140) for i in range(26)])
    properties.duty_cycle([_frame(i * 150) for i in range(60)])
    with pytest.raises(AssertionError, match="period 0"):
        properties.join_airtime([_frame(i) for i in range(24)], [0])
    properties.join_airtime([_frame(i) for i in range(23)], [0])
    with pytest.raises(AssertionError, match="DevNonce 0 after 0"):
        properties.counters([_frame(0), _frame(9)])
    data = [
        b"\x40\1\0\0\0\0" + bytes([fcnt, 0]) + bytes(4 + size) for fcnt, size in ((5, 0), (5, 1))
    ]
    properties.counters([_frame(0, raw=data[0]), _frame(9, raw=data[0])])
    with pytest.raises(AssertionError, match="FCntUp 5 after 5"):
        properties.counters([_frame(0, raw=data[0]), _frame(9, raw=data[1])])
