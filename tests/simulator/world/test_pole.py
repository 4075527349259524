"""The world of a radar on a lamp post: arrivals, files of them, manoeuvres, lobe and noise."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.world.sensors.ld2451 import Ld2451
from simulator.world.sensors.lobe import chance
from simulator.world.streets import flow
from simulator.world.streets.arrivals_file import ArrivalsError, read
from simulator.world.streets.motion import position_of
from simulator.world.streets.mount import Mount
from simulator.world.streets.street import RADAR_MIX, RoadUser, Street
from simulator.world.streets.traffic import Traffic

POLE = Mount(line_m=20, lanes=(3.25, 6.75), height_m=3.5, lobe_deg=20)
S = 1_000_000


def street(**traffic: object) -> Street:
    made = Traffic(**traffic)  # type: ignore[arg-type]
    return Street(random.Random(4), RADAR_MIX, 0, 2.0, 3.0, traffic=made, lanes=POLE.lanes)


@pytest.mark.parametrize("per_hour", (60.0, 200.0, 900.0))
def test_the_flow_of_an_hour_is_kept(per_hour: float) -> None:
    times = flow.arrivals([per_hour], 20, random.Random(1))
    assert len(times) == pytest.approx(20 * per_hour, rel=0.08)
    gaps = [(b - a) / S for a, b in pairwise(times)]
    near = sum(gap <= flow.BUNCH_S[1] for gap in gaps) / len(gaps)
    assert min(gaps) >= flow.BUNCH_S[0] and near >= 0.9 * flow.bunched_share(per_hour)


def test_the_flow_follows_its_hours_and_its_direction() -> None:
    made = street(flow={"forward": [300, 0]})
    assert len(made.users) > 200
    assert all(u.t_us < 3600 * S and u.direction == "forward" for u in made.users)


def test_a_bunched_road_user_does_not_drive_through_the_one_in_front() -> None:
    users = street(flow={"forward": [900]}, mix={"car": 1.0}).users
    for one, two in pairwise(users):
        if two.t_us - one.t_us < 3 * S:
            assert two.speed_kmh <= one.speed_kmh
            assert (two.t_us - one.t_us) / S > one.length_m / one.speed_kmh * 3.6


def file(folder: Path, *rows: str) -> Path:
    path = folder / "real.csv"
    path.write_text("\n".join(["time,direction,class,speed,length", *rows]) + "\n")
    return path


def test_road_users_come_from_a_file(tmp_path: Path) -> None:
    path = file(tmp_path, "12.5,forward,car,31,4.4", "00:01:07.2,backward,bicycle,17.5,1.8")
    one, two = read(path, POLE.lanes)
    assert (one.t_us, one.cls, one.speed_kmh, one.offset_m) == (12_500_000, "car", 31.0, 3.25)
    assert (two.t_us, two.direction, two.offset_m) == (67_200_000, "backward", 6.75)


@pytest.mark.parametrize(
    ("row", "reason"),
    (
        ("13,up,car,31,4.4", "line 3: direction 'up'"),
        ("13,forward,tram,31,4.4", "line 3: class 'tram'"),
        ("13,forward,car,fast,4.4", "line 3: speed 'fast' is not a number"),
        ("13,forward,car,nan,4.4", "line 3: speed nan, wanted 0.5 .. 200"),
        ("13,forward,car,31", "line 3: 4 values, wanted 5"),
        ("1:2,forward,car,31,4.4", "line 3: time '1:2'"),
        ("2,forward,car,31,4.4", "line 3: its time is before"),
        ("", "line 3: 0 values"),
    ),
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, reason: str) -> None:
    path = file(tmp_path, "12.5,forward,car,31,4.4", row, "99,forward,car,31,4.4")
    with pytest.raises(ArrivalsError, match="real.csv") as caught:
        read(path, POLE.lanes)
    assert reason in str(caught.value)


def test_a_file_without_its_head_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("12.5,forward,car,31,4.4\n")
    with pytest.raises(ArrivalsError, match="line 1: wanted time,direction"):
        read(tmp_path / "bad.csv", POLE.lanes)
    with pytest.raises(ArrivalsError, match="none.csv"):
        read(tmp_path / "none.csv", POLE.lanes)


def test_a_manoeuvring_car_crosses_once_or_never_and_never_jumps() -> None:
    made = street(flow={"forward": [200]}, mix={"car": 1.0}, manoeuvres=1.0)
    assert len(made.users) > 100 < len(made.others) * 2
    for user, crossings in [(u, 1) for u in made.users] + [(u, 0) for u in made.others]:
        assert user.stop is not None
        start_us, end_us = user.stop.start_us, user.stop.end_us  # type: ignore[union-attr]
        places = [position_of(user, t_us)[0] for t_us in range(start_us, end_us, S // 10)]
        assert max(abs(b - a) for a, b in pairwise(places)) < 2.5
        assert sum((a > 0) != (b > 0) for a, b in pairwise(places)) == crossings
        assert crossings == 0 or abs(position_of(user, user.t_us)[0]) < 0.01


def test_the_lobe_ends_at_its_angle_and_leaves_side_lobes() -> None:
    assert chance(POLE, 58, 30, 19.9) == chance(POLE, 58, 30, 0) > 1
    assert chance(POLE, 58, 30, 23) <= 0
    assert chance(POLE, 58, 4, 60) > 0.5


def reports(mount: Mount, users: list[RoadUser], **faults: float) -> list[bytes]:
    made = Street(random.Random(1), RADAR_MIX, 0, 1.0, 3.0, traffic=Traffic(known=users))
    radar = Ld2451(made, random.Random(2), faults, mount)
    return [data for _, _, data in radar.generate(0, 600 * S, 10_000)]


def car(number: int, **values: object) -> RoadUser:
    default = {"direction": "forward", "speed_kmh": 36.0, "offset_m": 3.25}
    fields = {"cls": "car", "length_m": 4.5, **default, **values}
    return RoadUser(number, (number + 1) * 30 * S, **fields)  # type: ignore[arg-type]


def test_the_far_lane_is_seen_at_20_m_and_not_at_8_m() -> None:
    found = reports(POLE, [car(i, offset_m=6.75, direction="backward") for i in range(10)])
    metres = [data[9] for data in found if data[9] > 10]  # nearer ones are in a side lobe
    assert min(metres) >= 17 and sum(m <= 21 for m in metres) > 5


def test_every_manner_shows_in_the_reports() -> None:
    users = [car(i) for i in range(15)]
    plain = reports(POLE, users)
    assert all(data[6] == 1 and data[10] == 1 for data in plain)
    doubled = reports(POLE, users, second_echo=0.2)
    assert 0.12 < sum(data[6] == 2 for data in doubled) / len(doubled) < 0.25
    turned = reports(POLE, users, wrong_direction=0.1)
    assert 0.05 < sum(data[10] == 0 for data in turned) / len(turned) < 0.16
    fewer = reports(POLE, users, missed=0.2)
    assert 0.7 < len(fewer) / len(plain) < 0.9
    wild = reports(POLE, users, angle_sd_deg=4.3)
    assert spread(wild, 8) > spread(plain, 8) + 2
    assert reports(POLE, users, covered=200.0)[-1] and len(
        reports(POLE, users, covered=200.0)
    ) < 0.5 * len(plain)


def spread(found: list[bytes], at: int) -> float:
    values = [data[at] for data in found if 25 < data[9] < 40]  # where the bearing varies little
    middle = sum(values) / len(values)
    return (sum((value - middle) ** 2 for value in values) / len(values)) ** 0.5


def test_rain_comes_at_its_rate() -> None:
    found = reports(POLE, [], rain_hz=1.5)
    assert 600 * 1.5 * 0.85 < sum(data[6] for data in found) < 600 * 1.5 * 1.15
