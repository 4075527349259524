"""How a queue is released, and how its road users come: the street's promise to the sensors."""

from __future__ import annotations

import random

import pytest

from simulator.world.streets.motion import (
    Stop,
    UTurn,
    is_returning,
    position_of,
    sight_span,
    with_u_turns,
)
from simulator.world.streets.street import RADAR_MIX, RoadUser, Street
from simulator.world.streets.traffic import Traffic

S = 1_000_000


def made(
    seed: int, traffic: Traffic, *, passages: int = 400, single_file: bool = False
) -> list[RoadUser]:
    rng = random.Random(seed)
    return Street(rng, RADAR_MIX, passages, 2, 2.0, single_file=single_file, traffic=traffic).users


def test_a_stop_brakes_stands_and_goes_on() -> None:
    stop = Stop(departs_us=100 * S, stands_us=20 * S, distance_m=20.0, speed_kmh=36.0)
    assert stop.at(90 * S) == (20.0, 0.0)
    assert stop.at(102 * S) == pytest.approx((16.0, 14.4))  # 2 m/s2 for 2 s
    assert stop.at(105 * S) == pytest.approx((-5.0, 36.0))
    assert stop.at(78 * S) == pytest.approx((24.0, 14.4))
    assert stop.at(70 * S)[0] == pytest.approx(20 + 25 + 50)


@pytest.mark.parametrize("distance_m", (1.0, 5.0, 25.0, 60.0))
def test_the_line_is_crossed_at_the_time_of_the_trajectory(distance_m: float) -> None:
    stop = Stop(departs_us=100 * S, stands_us=20 * S, distance_m=distance_m, speed_kmh=20.0)
    t_us, speed_kmh = stop.crossing
    assert stop.at(t_us) == pytest.approx((0.0, speed_kmh), abs=1e-3)


def test_bunched_traffic_follows_closely_at_one_speed_and_never_overlaps() -> None:
    for single_file in (False, True):
        users = made(3, Traffic(bunched=0.5), single_file=single_file)
        for direction in ("forward", "backward"):
            going = [user for user in users if user.direction == direction]
            pairs = list(zip(going, going[1:]))
            close = [(a, b) for a, b in pairs if b.t_us - a.t_us <= 2 * S]
            assert len(close) > len(pairs) / 5
            for a, b in pairs:
                assert (b.t_us - a.t_us) / 1e6 > a.length_m / a.speed_kmh * 3.6
            held_up = [(a, b) for a, b in close if single_file or a.cls != "pedestrian"]
            slower = [b.speed_kmh < 1.04 * a.speed_kmh for a, b in held_up]
            assert sum(slower) > 0.9 * len(slower)  # the others came so by chance
            walkers = [user.speed_kmh for user in going if user.cls == "pedestrian"]
            assert walkers and max(walkers) < 8, "no walker is as fast as a car"


def test_a_pair_share_of_one_half_adds_half_the_vehicles() -> None:
    alone, together = made(5, Traffic()), made(5, Traffic(pairs=0.5))
    assert 1.4 < len(together) / len(alone) < 1.6


def test_a_queue_keeps_its_distance_while_it_stands() -> None:
    users = [user for user in made(7, Traffic(queued=True)) if user.direction == "forward"]
    assert len(users) > 100
    for front, rear in zip(users, users[1:]):
        a, b = front.stop, rear.stop
        assert a and b and b.departs_us > a.departs_us
        if b.departs_us - a.departs_us < 2 * S:
            assert b.distance_m - a.distance_m - front.length_m == pytest.approx(3.1)


def test_one_way_traffic_changes_every_half_hour() -> None:
    for user in made(9, Traffic(one_way=True)):
        assert user.direction == ("forward", "backward")[user.t_us // (1800 * S) % 2]


def test_a_u_turn_comes_near_the_line_and_never_crosses_it() -> None:
    users = made(11, Traffic(), passages=300)
    rng = random.Random(1)
    assert with_u_turns(users, {}, (2.0, 20.0), rng) == users
    more = with_u_turns(users, {"turn_back": 0.5}, (2.0, 20.0), rng)[len(users) :]
    assert len(more) > 20
    for user in more:
        assert isinstance(user.stop, UTurn)
        start_us, end_us = sight_span(user, 50.0, 6.0)
        directional = [position_of(user, t_us)[0] for t_us in range(start_us, end_us, 100_000)]
        assert 2.0 <= min(directional) <= 20.0 and directional[0] > 45 and directional[-1] > 45
        assert not is_returning(user, user.stop.departs_us - 1) and is_returning(user, end_us)
