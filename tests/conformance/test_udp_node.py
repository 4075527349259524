"""A node that joins and delivers through a gateway and Semtech's UDP protocol."""

from __future__ import annotations

import base64
import json
import socket
import threading
from pathlib import Path

from simulator.world.lorawan.gateway import Gateway
from simulator.world.lorawan.join import Device
from simulator.world.lorawan.server import Downlink, NetworkServer, Reception
from simulator.world.lorawan.udp import Forwarder
from tests.conformance.support.board import Plan, RadioNode
from tests.conformance.support.rig import APP_KEY, DEV_EUI, JOIN_EUI


class UdpServer(threading.Thread):
    """The network behind a socket. It sends its answer before the acknowledgement."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.network = NetworkServer()
        self.network.joins.add(Device(DEV_EUI, JOIN_EUI, APP_KEY))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.errors: list[str] = []

    def run(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(4096)
            kind, token = data[3], data[1:3]
            if kind == 0:
                for packet in json.loads(data[12:]).get("rxpk", []):
                    self._uplink(packet, sender)
                self.socket.sendto(b"\2" + token + b"\1", sender)
            elif kind == 5 and len(data) > 12:
                self.errors.append(json.loads(data[12:])["txpk_ack"]["error"])

    def _uplink(self, packet: dict[str, object], sender: tuple[str, int]) -> None:
        sf, bw = str(packet["datr"])[2:].split("BW")
        raw = base64.b64decode(str(packet["data"]))
        freq, tmst = float(str(packet["freq"])), int(str(packet["tmst"]))
        got = Reception(raw, tmst, round(freq * 1e6), int(sf), int(bw) * 1000)
        down = self.network.uplink(got)
        if down:
            body = json.dumps({"txpk": {
                "imme": False, "tmst": down.begin_us, "freq": down.freq_hz / 1e6, "rfch": 0,
                "powe": 14, "modu": "LORA", "datr": f"SF{down.sf}BW{down.bw_hz // 1000}",
                "codr": "4/5", "ipol": True, "size": len(down.raw), "ncrc": True,
                "data": base64.b64encode(down.raw).decode(),
            }})  # fmt: skip
            self.socket.sendto(b"\2\0\1\3" + body.encode(), sender)


class Waiting:
    """Virtual time stands still until the server has acknowledged."""

    def __init__(self, node: RadioNode, forwarder: Forwarder) -> None:
        self._node = node
        self._forwarder = forwarder

    def uplink(self, got: Reception) -> Downlink | None:
        forwarder, now_us = self._forwarder, self._node.node.now_us
        acknowledged = forwarder.counts["push_ack"]
        forwarder.uplink(got)
        while forwarder.counts["push_ack"] == acknowledged:
            assert forwarder.receive(now_us, 20), "the server does not answer"
        return None


def test_a_node_delivers_through_udp(tmp_path: Path) -> None:
    server = UdpServer()
    server.start()
    node = RadioNode(tmp_path, Plan(confirmed=True))
    forwarder = Forwarder(0x0011223344556677, server.socket.getsockname())
    node.network.silent = True
    node.network.joins.devices.clear()  # nobody but the server answers
    network = Waiting(node, forwarder)
    forwarder.transmitter = Gateway(node.medium, network, node.node.call_at, name="udp")
    assert node.until("done", 300), node.lines()
    node.stop()
    forwarder.close()
    assert server.network.latest
    payloads = [payload for _, port, payload in server.network.latest.received if port == 2]
    assert payloads == [b"0000", b"0001", b"0002"]
    assert [line for line in node.lines() if line.startswith("sent") and "True" not in line] == []
    assert server.network.faults == [] and node.chip.violations == []
    assert forwarder.counts["txnb"] >= 4 and set(server.errors) <= {"NONE"}
