"""An end device on each emulated modem, against the network: with and without faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan import plan
from simulator.world.lorawan.modems.at_modem import ModemFaults
from simulator.world.lorawan.modems.rn2483 import Rn2483
from simulator.world.lorawan.server import GPS_AT_ZERO, Message
from tests.conformance.support.modem_rig import MODEMS, ModemRig

NAMES = sorted(MODEMS)
UTC_AT_ZERO = GPS_AT_ZERO + 315_964_800 - 18
BOOT_MS = 350 - (1 << 30) + 5000  # of ticks, in world time, when they have wrapped
EVERY = pytest.mark.parametrize("name", NAMES)
# Each is what a line, a cable or a supply does to a modem now and then.
FAULTS = {
    "echo": ModemFaults(echo=True),
    "late answers": ModemFaults(late=0.05),
    "split and glued lines": ModemFaults(split=0.3, glued=0.3),
    "nonsense": ModemFaults(noise=0.2),
    "restarts": ModemFaults(restart=0.02),
    "deaf to commands": ModemFaults(deaf=0.03),
    "busy": ModemFaults(busy=0.3),
    "everything": ModemFaults(True, 0.02, 0.1, 0.1, 0.1, 0.01, 0.02, 0.1),
}


def crashed(rig: ModemRig) -> list[str]:
    return [line for line in rig.log.lines() if "Traceback" in line]


def sent(rig: ModemRig) -> list[int]:
    return [number for number, good in rig.told("sent") if good]


@EVERY
def test_join_uplinks_downlink_and_time_pass_through_modem_and_server(
    name: str, tmp_path: Path
) -> None:
    with ModemRig(tmp_path, name, confirmed=2) as rig:
        rig.node.call_at(20_000_000, lambda: _ask(rig))
        rig.run(600)
        assert rig.received() == sent(rig) == [0, 1, 2, 3, 4]
        assert rig.told("down") == [[7, "0badcafe"]]
        assert rig.network.faults == [] and rig.network.joins.refused == []
        state, room = rig.told("state")[0]
        assert state["joined"] and state["f_cnt_up"] == _counter(rig)
        assert (state["dr"], room) == (3, 115), "LinkADRReq"
        for utc, ms in rig.told("time"):
            world_s = (ms + (1 << 30) + BOOT_MS) % (1 << 30) / 1000
            assert abs(utc - UTC_AT_ZERO - world_s) <= 0.6
        assert len(rig.told("time")) == (0 if name == "rn2483" else 1)


def _ask(rig: ModemRig) -> None:
    session = rig.network.latest
    assert session
    session.messages.append(Message(7, b"\x0b\xad\xca\xfe"))
    session.requests.append(mac.link_adr(3, 0, 7))


def _counter(rig: ModemRig) -> int:
    session = rig.modem.mac.session
    assert session
    return session.fcnt_up


@EVERY
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_faulty_line_or_modem_costs_time_but_no_uplink(
    name: str, fault: str, tmp_path: Path
) -> None:
    with ModemRig(tmp_path, name, 7, uplinks=20, every_s=30, tries=40, confirmed=3) as rig:
        rig.modem.faults = FAULTS[fault]
        rig.run(8 * 3600)
        assert not crashed(rig), crashed(rig)[0]
        assert sent(rig) == list(range(20)), rig.state()
        assert set(rig.received()) == set(range(20))


@EVERY
def test_lost_confirmed_uplinks_are_told_to_the_caller(name: str, tmp_path: Path) -> None:
    with ModemRig(tmp_path, name, 3, uplinks=20, every_s=30, confirmed=1) as rig:
        rig.node.call_at(20_000_000, lambda: setattr(rig.modem.mac, "loss", 0.6))
        rig.run(3 * 3600)
        good = sent(rig)
        assert 5 < len(good) < 20
        assert set(good) <= set(rig.received())
        assert rig.state()["errors"]["not_acked"] == 20 - len(good)


@EVERY
def test_refused_joins_back_off_within_the_join_airtime(name: str, tmp_path: Path) -> None:
    with ModemRig(tmp_path, name, rate=0) as rig:
        rig.modem.mac.refusals = 1000
        rig.run(35 * 3600)
        joins = [t for t, text in rig.modem.commands if "JOIN" in text.upper()]
        air_s = plan.airtime_us(12, 125_000, 23, True) / 1e6
        hour = 3_600_000_000
        assert len([t for t in joins if t < hour]) * air_s <= 36
        assert len([t for t in joins if hour <= t < 11 * hour]) * air_s <= 36
        assert 0 < len([t for t in joins if t >= 11 * hour]) * air_s <= 8.7
        assert not rig.told("sent")


@EVERY
def test_a_restart_in_the_middle_of_an_uplink_is_survived(name: str, tmp_path: Path) -> None:
    with ModemRig(tmp_path, name, uplinks=10, every_s=60, tries=10) as rig:
        for second in (70, 71, 72, 200):
            rig.node.call_at(second * 1_000_000, lambda: rig.modem.restart_at(rig.node.now_us))
        rig.run(3600)
        assert not crashed(rig)
        assert sent(rig) == list(range(10)) == sorted(set(rig.received()))
        assert len(rig.device.nonces) >= 2
        assert len(set(rig.device.nonces)) == len(rig.device.nonces)


@EVERY
def test_a_silent_modem_is_an_error_until_it_answers_again(name: str, tmp_path: Path) -> None:
    with ModemRig(tmp_path, name, uplinks=8, every_s=60, tries=60) as rig:
        rig.node.call_at(100_000_000, lambda: setattr(rig.modem.faults, "silent", True))
        rig.node.call_at(900_000_000, lambda: setattr(rig.modem.faults, "silent", False))
        rig.run(7200)
        assert ["the modem does not answer"] in rig.told("error")
        assert sent(rig) == list(range(8)) == sorted(set(rig.received()))


@EVERY
def test_a_node_that_restarts_costs_no_new_session_where_the_modem_keeps_it(
    name: str, tmp_path: Path
) -> None:
    with ModemRig(tmp_path, name, uplinks=3, reset=1) as rig:
        rig.run(900)
        assert sent(rig) == [0, 1, 2, 0, 1, 2]
        assert len(rig.device.nonces) == 1
        assert _counter(rig) == 6


def test_a_broken_frame_counter_is_answered_with_a_new_join(tmp_path: Path) -> None:
    with ModemRig(tmp_path, "rn2483", tries=5) as rig:
        assert isinstance(rig.modem, Rn2483)
        rig.node.call_at(100_000_000, lambda: setattr(rig.modem, "counter_broken", True))
        rig.run(1800)
        assert sent(rig) == [0, 1, 2, 3, 4]
        assert len(rig.device.nonces) == 2
        assert rig.state()["errors"]["sessions_lost"] == 1


def test_a_paused_mac_is_resumed(tmp_path: Path) -> None:
    with ModemRig(tmp_path, "rn2483", tries=5) as rig:
        rig.node.call_at(100_000_000, lambda: setattr(rig.modem, "paused", True))
        rig.run(1800)
        assert sent(rig) == [0, 1, 2, 3, 4]
        assert len(rig.device.nonces) == 1


def test_random_devnonces_get_through_in_the_end(tmp_path: Path) -> None:
    with ModemRig(tmp_path, "e5") as rig:
        rig.device.rising = True
        rig.device.nonces.append(60_000)  # one join in twelve gets through
        rig.run(86400)
        assert "nonce" in rig.network.joins.refused
        assert sent(rig) == [0, 1, 2, 3, 4]


def test_the_key_is_in_no_line_of_the_node(tmp_path: Path) -> None:
    with ModemRig(tmp_path, "e5") as rig:
        rig.modem.faults = ModemFaults(echo=True, noise=0.2)
        rig.run(300)
        told = "\n".join(rig.log.lines())
        assert rig.modem.mac.app_key == bytes(range(16))
        assert "000102030405" not in told.lower() and "APPKEY" not in told
