"""Packages of the Alliance over the air: the time by TS003, a certification test by TS009."""

from __future__ import annotations

import struct
from pathlib import Path

from simulator.world.lorawan.server import GPS_AT_ZERO, Message, Session
from tests.conformance.support.board import Plan, RadioNode

CLOCK, CERTIFICATION = 202, 224
GPS_TO_UNIX = 315_964_800 - 18


class TimeServer:
    """An application server with TS003. asked: device times. wrong: error of its answers in
    seconds.
    """

    def __init__(self, node: RadioNode, *, wrong: int = 0) -> None:
        self.asked: list[int] = []
        self.heard: list[bytes] = []
        self._wrong = wrong
        node.network.tells_time = False
        node.network.on_data = self._on_data

    def _on_data(self, session: Session, port: int, data: bytes, end_us: int) -> None:
        if port != CLOCK:
            return
        self.heard.append(data)
        if data[0] == 1:
            device_s, param = struct.unpack_from("<IB", data, 1)
            self.asked.append(device_s)
            correction = GPS_AT_ZERO + end_us // 1_000_000 - device_s + self._wrong
            answer = struct.pack("<BiB", 1, correction, param & 15)
            session.messages.append(Message(CLOCK, answer))


def _told_s(node: RadioNode) -> list[float]:
    """By how many seconds each time that the node was told is off."""
    found = []
    for kind, t_us, text in node.log.seen:
        if kind == "log" and str(text).startswith("time "):
            utc, ago_ms = map(int, str(text).split()[1:])
            said_s = utc + ago_ms / 1000 - GPS_TO_UNIX - GPS_AT_ZERO
            found.append(said_s - t_us / 1e6)
    return found


def test_a_network_without_device_time_is_asked_for_it_by_the_package(tmp_path: Path) -> None:
    node = RadioNode(tmp_path, Plan(frames=16, pause_s=310))
    server = TimeServer(node)
    assert node.until("done", 8000, 100)
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    told = _told_s(node)
    assert told and max(map(abs, told)) < 2
    assert len(server.asked) == 1, "it asks no more once it knows"
    assert len([line for line in node.lines() if line.startswith("down")]) == 0


def test_a_server_asks_for_version_period_and_resync(tmp_path: Path) -> None:
    """PackageVersionReq, a period of 256 s and a resync are each followed."""
    node = RadioNode(tmp_path, Plan(frames=30, pause_s=60))
    server = TimeServer(node)
    assert node.until("up", 60)
    node.session().messages.append(Message(CLOCK, b"\0\2\1"))
    assert node.until("done", 4000, 100)
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []
    version = server.heard[0]
    assert version[:5] == b"\0\1\2\2\0" and len(version) == 9
    gaps = [b - a for a, b in zip(server.asked[1:], server.asked[2:])]
    assert len(server.asked) >= 5 and all(abs(gap - 256) < 40 for gap in gaps), server.asked
    assert max(map(abs, _told_s(node))) < 2


class Tool:
    """The test server of a certification test."""

    def __init__(self, folder: Path, *, certify: bool = True) -> None:
        self.node = RadioNode(folder, Plan(frames=1000, pause_s=20, certify=certify))
        self.heard: list[bytes] = []
        self.node.network.on_data = self._on_data
        assert self.node.until("up", 120)

    def _on_data(self, _session: Session, port: int, data: bytes, _end_us: int) -> None:
        if port == CERTIFICATION:
            self.heard.append(data)

    def ask(self, data: bytes, seconds: float = 50) -> list[bytes]:
        """Send a message. Returns the device's messages on the port in the time after it."""
        self.heard.clear()
        self.node.session().messages.append(Message(CERTIFICATION, data))
        self.node.run(self.node.node.now_us / 1e6 + seconds)
        return list(self.heard)


def test_a_device_under_certification_obeys_the_test_server(tmp_path: Path) -> None:
    tool = Tool(tmp_path)
    assert tool.ask(b"\0") == [b"\0\6\1"]
    assert tool.ask(b"\x7f") == [b"\x7f" + b"\0\1\0\0" + b"\1\0\4\0" + b"\2\1\0\4"]
    assert tool.ask(b"\x08\0\1\xfe\xff") == [b"\x08\1\2\xff\0"]
    assert tool.ask(b"\x7d\0\0\0\0\0\0") == [], "no carrier without modulation"
    (counted,) = tool.ask(b"\x09")
    assert struct.unpack("<H", counted[1:])[0] == 5
    session = tool.node.session()
    frames = len(session.frames)
    assert len(tool.ask(b"\6\1", 60)) >= 8, "every 5 s"
    assert len(session.frames) - frames > 8
    tool.ask(b"\6\0")
    assert tool.ask(b"\4\0") == [] and not session.frames[-1][1].adr
    assert tool.ask(b"\4\1") == [] and session.frames[-1][1].adr
    tool.ask(b"\x20")
    assert any(frame.options == b"\2" for _fcnt, frame in session.frames[-5:])
    tool.node.stop()
    assert tool.node.chip.violations == [] and tool.node.network.faults == []


def test_a_device_under_certification_joins_restarts_and_closes_the_port(tmp_path: Path) -> None:
    tool = Tool(tmp_path)
    node = tool.node
    assert len(node.device.nonces) == 1
    tool.ask(b"\2")
    assert len(node.device.nonces) == 2 and node.lines().count("info lorawan: joined") == 2
    tool.ask(b"\1")
    assert node.lines().count("reset False") == 1
    assert any("session restored" in line for line in node.lines())
    tool.ask(b"\x7e")
    assert node.lines().count("reset True") == 1
    node.stop()
    assert node.chip.violations == [] and node.network.faults == []


def test_a_device_in_service_ignores_certification(tmp_path: Path) -> None:
    tool = Tool(tmp_path, certify=False)
    for data in (b"\0", b"\1", b"\x08abc", b"\6\1"):
        assert tool.ask(data) == []
    assert not any(line.startswith(("reset", "down")) for line in tool.node.lines())
    tool.node.stop()
    assert tool.node.network.faults == []
