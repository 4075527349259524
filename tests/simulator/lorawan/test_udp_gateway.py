"""The simulated gateway speaks Semtech's UDP protocol, as a small server reads its bytes."""

from __future__ import annotations

import base64
import json
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.world.lorawan.gateway import Gateway
from simulator.world.lorawan.radio_medium import RadioMedium, Signal, lorawan_modulation
from simulator.world.lorawan.udp import Forwarder
from tests.support.boards.radio_bench import Bench, SignalRecorder

EUI = 0x0011223344556677
EUI_BYTES = bytes.fromhex("0011223344556677")
UPLINK = bytes.fromhex("00010000d07ed5b37030051c000ba3040001005ee3e667")


class Server:
    """The other end: parses datagrams, answers as a network server would."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.gateway: Any = None

    def receive(self) -> tuple[int, bytes, bytes]:
        """(kind, token, bytes behind the EUI)."""
        data, self.gateway = self.socket.recvfrom(4096)
        assert data[0] == 2 and data[4:12] == EUI_BYTES
        return data[3], data[1:3], data[12:]

    def answer(self, kind: int, token: bytes, body: bytes = b"") -> None:
        self.socket.sendto(b"\x02" + token + bytes([kind]) + body, self.gateway)

    def transmit(self, **changes: Any) -> None:
        packet = {
            "imme": False, "freq": 868.1, "rfch": 0, "powe": 14, "modu": "LORA",
            "datr": "SF7BW125", "codr": "4/5", "ipol": True, "size": 4, "ncrc": True,
            "data": base64.b64encode(b"down").decode(), **changes,
        }  # fmt: skip
        body = {"txpk": {key: value for key, value in packet.items() if value is not None}}
        self.answer(3, b"\xab\xcd", json.dumps(body).encode())


class ForwarderBench:
    """Gateway, air and forwarder at a server."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.server = Server()
        self.forwarder = Forwarder(EUI, self.server.socket.getsockname())
        self.medium = RadioMedium(self.bench.call_at, random.Random(1))
        self.gateway = Gateway(self.medium, self.forwarder, self.bench.call_at)
        self.forwarder.transmitter = self.gateway
        self.node = SignalRecorder(self.medium)

    def receive(self) -> None:
        assert self.forwarder.receive(self.bench.now_us, 20)

    def error(self, **changes: Any) -> str:
        """The error in TX_ACK after a downlink."""
        self.server.transmit(**changes)
        self.receive()
        kind, token, body = self.server.receive()
        assert (kind, token) == (5, b"\xab\xcd")
        text: str = json.loads(body)["txpk_ack"]["error"]
        return text


@pytest.fixture
def far() -> Iterator[ForwarderBench]:
    far = ForwarderBench()
    far.forwarder.keep_alive(0)
    assert far.server.receive()[0] == 2
    assert far.server.receive()[0] == 0  # statistics
    yield far
    far.forwarder.close()
    far.server.socket.close()


def test_an_uplink_becomes_a_push_and_its_answer_a_downlink(far: ForwarderBench) -> None:
    modulation = lorawan_modulation(7, 125_000, False)
    far.medium.send(Signal("n1", 4_294_000_000, 868_300_012, modulation, UPLINK, True))
    far.bench.wait(4_294_100_000)
    end_us = far.gateway.received[0].signal.end_us()
    kind, token, body = far.server.receive()
    (packet,) = json.loads(body)["rxpk"]
    assert kind == 0 and packet["tmst"] == end_us % 2**32
    assert (packet["freq"], packet["datr"], packet["codr"]) == (868.3, "SF7BW125", "4/5")
    assert (packet["stat"], packet["modu"], packet["size"]) == (1, "LORA", 23)
    assert base64.b64decode(packet["data"]) == UPLINK
    far.server.answer(1, token)
    far.receive()
    assert far.forwarder.counts["push_ack"] == 1
    assert far.error(tmst=(packet["tmst"] + 1_000_000) % 2**32, freq=868.3) == "NONE"
    far.bench.wait(2_000_000)
    down = far.node.signals[-1]
    assert (down.begin_us, down.raw, down.freq_hz) == (end_us + 1_000_000, b"down", 868_300_000)
    assert (down.modulation.sf, down.modulation.inverted, down.crc) == (7, True, False)


def test_an_impossible_downlink_is_answered_with_its_error(far: ForwarderBench) -> None:
    far.bench.wait(60_000_000)
    now = far.bench.now_us
    assert far.error(tmst=now - 5) == "TOO_LATE"
    assert far.error(tmst=now + 60_000_000) == "TOO_EARLY"
    assert far.error(tmst=now + 1_000_000, freq=868.65) == "TX_FREQ"
    assert far.error(tmst=now + 1_000_000, powe=30) == "TX_POWER"
    assert far.error(imme=True) == "NONE"


def test_broken_datagrams_are_dropped(far: ForwarderBench) -> None:
    for data in (
        b"",
        b"\x02",
        b"\x01\0\0\x03{}",
        b"\x02\0\0\x09",
        b"\x02\0\0\x03{",
        b"\x02\0\0\x03[]",
    ):
        far.server.socket.sendto(data, far.server.gateway)
        far.receive()
    for changes in ({"modu": "FSK"}, {"size": 5}, {"data": "?"}, {"datr": "SF7"}, {"ipol": None},
                    {"tmst": None}):  # fmt: skip
        far.server.transmit(**changes)
        far.receive()
    assert far.forwarder.counts["dropped"] == 12 and far.forwarder.counts["txnb"] == 0


def test_a_keep_alive_goes_out_every_five_seconds(far: ForwarderBench) -> None:
    for second in range(1, 31):
        far.forwarder.keep_alive(second * 1_000_000)
    kinds = [far.server.receive()[0] for _ in range(7)]
    assert kinds.count(2) == 6 and kinds.count(0) == 1
    assert not far.forwarder.receive(0)
