"""Many senders on one air: what the gateway gets, what it loses, and in which order."""

from __future__ import annotations

import random
import threading
from collections import Counter

import pytest

from simulator.world.lorawan.ether import Ether, EtherFailed, tally
from simulator.world.lorawan import plan
from simulator.world.lorawan.plan import EXTRA_HZ, JOIN_HZ, RadioFaults
from simulator.world.lorawan.radio_medium import Signal, lorawan_modulation
from simulator.world.lorawan.server import Downlink, NetworkServer

CHANNELS = (*JOIN_HZ, *EXTRA_HZ)
SECOND = 1_000_000


class Air:
    """An ether without nodes: their signals are given. losses: path loss in dB by name."""

    def __init__(self, losses: dict[str, float], faults: RadioFaults | None = None) -> None:
        self.server = NetworkServer()
        self.server.uplink = lambda _got: None  # type: ignore[method-assign]
        self.ether = Ether(list(losses), self.server, faults or RadioFaults(), seed=1)
        self.ether.gateway_medium.path_db_by_node.update(losses)
        self.names = list(losses)

    def run(self, *signals: Signal) -> dict[str, int]:
        """Number of frames by their fate."""
        for signal in signals:
            self.ether.publish(signal)
        for name in self.names:
            self.ether.leave(name)
        self.ether.run()
        fates = [why for name in self.names for _, why in self.ether.outcomes(name)]
        return dict(Counter(why or "received" for why in fates))


def up(sender: str, begin_us: int = 0, sf: int = 7, freq_hz: int = CHANNELS[0]) -> Signal:
    return Signal(
        sender, begin_us, freq_hz, lorawan_modulation(sf, 125_000, False), bytes(40), True
    )


def test_two_frames_at_once_spoil_each_other() -> None:
    assert Air({"a": 110, "b": 112}).run(up("a"), up("b", 20_000)) == {"collision": 2}


def test_the_stronger_one_survives() -> None:
    assert Air({"a": 110, "b": 116}).run(up("a"), up("b")) == {"received": 1, "collision": 1}


def test_other_channels_and_later_frames_do_not_matter() -> None:
    air = Air({"a": 110, "b": 110})
    later = up("b", up("a").end_us(), freq_hz=CHANNELS[0])
    assert air.run(up("a"), later, up("b", freq_hz=CHANNELS[1])) == {"received": 3}


@pytest.mark.parametrize(("far_db", "fate"), [(117.9, "received"), (118.1, "collision")])
def test_another_spreading_factor_spoils_only_a_much_weaker_frame(
    far_db: float, fate: str
) -> None:
    air = Air({"near": 110, "far": far_db})
    air.run(up("far"), up("near", sf=9))
    assert [why or "received" for _, why in air.ether.outcomes("far")] == [fate]


def test_the_ninth_frame_at_a_time_finds_no_demodulator() -> None:
    names = {f"n{i}": 110.0 for i in range(9)}
    signals = [up(name, i, freq_hz=CHANNELS[i % 8]) for i, name in enumerate(names)]
    signals[8] = up("n8", 8, sf=9)
    assert Air(names).run(*signals) == {"received": 8, "demodulators": 1}


def test_a_gateway_that_sends_is_deaf() -> None:
    air = Air({"a": 110})
    air.ether.gateway.send(Downlink(50_000, 869_525_000, 9, 125_000, bytes(20), 2), 50_000)
    assert air.run(up("a")) == {"gateway_sends": 1}


def test_frames_are_weak_or_lost_by_chance_or_the_gateway_is_away() -> None:
    assert Air({"a": 150}).run(up("a")) == {"weak": 1}
    assert Air({"a": 110}, RadioFaults(loss=1.0)).run(up("a")) == {"loss": 1}
    assert Air({"a": 110}, RadioFaults(gateway_away=[(0, SECOND)])).run(up("a")) == {"away": 1}


def test_the_gateway_keeps_its_duty_cycle() -> None:
    """1 % of an hour at 868.1 MHz: 36 s."""
    gateway = Air({"a": 110}).ether.gateway
    down = Downlink(0, CHANNELS[0], 12, 125_000, bytes(51), 1)
    sent = [gateway.send(down, i * 10 * SECOND) for i in range(20)]
    fits = int(36 * SECOND // plan.airtime_us(12, 125_000, 51, False))
    assert sent == [True] * fits + [False] * (20 - fits) and 10 < fits < 20
    assert "duty cycle at 868100000 Hz" in gateway.refused[0]
    assert gateway.send(down, 3603 * SECOND)  # the first one ended an hour ago


def spoiled_share(spread_s: float) -> float:
    """Of 20 nodes that close their intervals in the same second, and then wait at random."""
    names = {f"n{i}": 100.0 + i for i in range(20)}
    rng = random.Random(7)
    signals = [
        up(name, begin_us, freq_hz=rng.choice(CHANNELS))
        for name in names
        for quarter in range(1, 97)
        for begin_us in [round((900 * quarter + rng.random() * (1 + spread_s)) * SECOND)]
    ]
    fates = Air(names).run(*signals)
    return 1 - fates["received"] / len(signals)


def test_nodes_that_wait_at_random_spoil_few_frames() -> None:
    assert spoiled_share(112) <= 0.01
    assert spoiled_share(0) >= 0.1


def test_the_tally_of_frames() -> None:
    air = Air({"a": 110, "b": 110})
    air.run(up("a"), up("b"), up("b", 3600 * SECOND, sf=9))
    found = tally(air.ether.outcomes("a") + air.ether.outcomes("b"))
    assert (found["frames"], found["spoiled"], found["collision"]) == (3, 2, 2)
    assert found["by_sf"] == {"7": [2, 2], "9": [1, 0]}
    assert found["after_first_hour"] == [1, 0]


def test_nobody_goes_on_before_the_slowest_one() -> None:
    ether = Air({"fast": 110, "slow": 110}).ether
    passed: list[str] = []
    gateway = threading.Thread(target=ether.run)
    waiting = threading.Thread(
        target=lambda: (ether.meet("fast", 5 * SECOND), passed.append("fast"))
    )
    for thread in (gateway, waiting):
        thread.start()
    ether.advance("slow", 4 * SECOND)
    waiting.join(0.1)
    assert not passed
    ether.advance("slow", 5 * SECOND)
    waiting.join()
    assert passed
    for name in ("fast", "slow"):
        ether.leave(name)
    gateway.join()


def test_the_failure_of_one_node_ends_the_others() -> None:
    ether = Air({"a": 110, "b": 110}).ether
    ether.fail()
    ether.run()
    with pytest.raises(EtherFailed):
        ether.meet("a", SECOND)
