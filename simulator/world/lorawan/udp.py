"""Connects a gateway with a real network server: Semtech's UDP protocol, version 2.

Written from PROTOCOL.TXT of the packet forwarder, 1.4. Byte 0 is the version 2, bytes 1 and 2 a
token, byte 3 the kind:

    PUSH_DATA 0  token, gateway EUI, JSON rxpk / stat      PUSH_ACK 1  the same token
    PULL_DATA 2  token, gateway EUI                        PULL_ACK 4  the same token
    PULL_RESP 3  token, JSON txpk                          TX_ACK   5  the same token, EUI, error

Time stamps (tmst) are the microseconds of virtual time, 32 bits. A server works in real time. So
run the node in real time, and call `keep_alive()` and `receive()` a few times a second.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import Any, Protocol

from simulator.world.lorawan import plan
from simulator.world.lorawan.server import Downlink, Reception

VERSION = 2
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = range(6)
KEEP_ALIVE_US, STAT_US = 5_000_000, 30_000_000
LEAD_MIN_US, LEAD_MAX_US = 10_000, 30_000_000  # from now to the beginning of a downlink
POWER_MAX_DBM = 27
_DATR = re.compile(r"SF(\d+)BW(\d+)")


class Transmitter(Protocol):
    def send(self, down: Downlink, begin_us: int) -> bool: ...


class DownlinkRefused(Exception):
    """A downlink that cannot be sent. The text is that of TX_ACK."""


class Forwarder:
    """server: (host, port). It is the network of a `Gateway`, and sends through `transmitter`, the
    same gateway.

    counts: messages by name, and dropped datagrams.
    """

    def __init__(self, eui: int, server: tuple[str, int], rssi: int = -96) -> None:
        self._eui = eui.to_bytes(8, "big")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(server)
        self._rssi = rssi
        self._token = 0
        self._pulled_us = self._stat_us = -STAT_US
        self.transmitter: Transmitter | None = None
        self.counts = {"rxnb": 0, "push_ack": 0, "pull_ack": 0, "dwnb": 0, "txnb": 0, "dropped": 0}

    def close(self) -> None:
        self._socket.close()

    # --- up

    def uplink(self, got: Reception) -> Downlink | None:
        """Pass a frame on. The answer comes with `receive()`, or never."""
        self.counts["rxnb"] += 1
        self._push({"rxpk": [self._rxpk(got)]})
        return None

    def _rxpk(self, got: Reception) -> dict[str, Any]:
        return {
            "tmst": got.end_us & 0xFFFFFFFF,
            "chan": 0,
            "rfch": 0,
            "freq": got.freq_hz / 1e6,
            "stat": 1,
            "modu": "LORA",
            "datr": f"SF{got.sf}BW{got.bw_hz // 1000}",
            "codr": "4/5",
            "rssi": self._rssi,
            "lsnr": round(got.snr, 1),
            "size": len(got.raw),
            "data": base64.b64encode(got.raw).decode(),
        }

    def keep_alive(self, now_us: int) -> None:
        """Send PULL_DATA and the statistics when they are due."""
        if now_us - self._pulled_us >= KEEP_ALIVE_US:
            self._pulled_us = now_us
            self._send(PULL_DATA, self._eui)
        if now_us - self._stat_us >= STAT_US:
            self._stat_us = now_us
            count = self.counts
            self._push({"stat": {
                "rxnb": count["rxnb"], "rxok": count["rxnb"], "rxfw": count["rxnb"],
                "ackr": 100.0, "dwnb": count["dwnb"], "txnb": count["txnb"],
            }})  # fmt: skip

    def _push(self, body: dict[str, Any]) -> None:
        self._send(PUSH_DATA, self._eui + json.dumps(body).encode())

    def _send(self, kind: int, body: bytes, token: bytes | None = None) -> None:
        if token is None:
            self._token = self._token + 1 & 0xFFFF
            token = self._token.to_bytes(2, "big")
        try:
            self._socket.send(bytes([VERSION]) + token + bytes([kind]) + body)
        except OSError:  # no server listens: the protocol does not guarantee delivery
            self.counts["dropped"] += 1

    # --- down

    def receive(self, now_us: int, wait_s: float = 0.0) -> bool:
        """Handle one datagram of the server. False if there was none."""
        self._socket.settimeout(wait_s)
        try:
            data = self._socket.recv(4096)
        except OSError:
            return False
        if len(data) < 4 or data[0] != VERSION:
            self.counts["dropped"] += 1
        elif data[3] == PUSH_ACK:
            self.counts["push_ack"] += 1
        elif data[3] == PULL_ACK:
            self.counts["pull_ack"] += 1
        elif data[3] == PULL_RESP:
            self._respond(data[1:3], data[4:], now_us)
        else:
            self.counts["dropped"] += 1
        return True

    def _respond(self, token: bytes, body: bytes, now_us: int) -> None:
        self.counts["dwnb"] += 1
        error = "NONE"
        try:
            down = downlink(body, now_us)
            if self.transmitter:
                self.transmitter.send(down, down.begin_us)
            self.counts["txnb"] += 1
        except DownlinkRefused as refused:
            error = str(refused)
        except (ValueError, KeyError, TypeError):
            self.counts["dropped"] += 1
            return
        answer = json.dumps({"txpk_ack": {"error": error}}).encode()
        self._send(TX_ACK, self._eui + answer, token)


def downlink(body: bytes, now_us: int) -> Downlink:
    """The downlink that a PULL_RESP asks for. A broken one raises ValueError, KeyError or
    TypeError."""
    packet = json.loads(body)["txpk"]
    found = _DATR.fullmatch(packet["datr"])
    if packet["modu"] != "LORA" or found is None or not packet.get("ipol", False):
        raise ValueError("not a LoRaWAN downlink")
    raw = base64.b64decode(packet["data"], validate=True)
    if len(raw) != packet["size"]:
        raise ValueError("size")
    freq_hz = round(packet["freq"] * 1e6)
    try:
        plan.sub_band(freq_hz)
    except ValueError as error:
        raise DownlinkRefused("TX_FREQ") from error
    if packet.get("powe", 14) > POWER_MAX_DBM:
        raise DownlinkRefused("TX_POWER")
    begin_us = now_us + LEAD_MIN_US
    if not packet.get("imme", False):
        begin_us = _begin(packet["tmst"], now_us)
    sf, bw_hz = int(found[1]), int(found[2]) * 1000
    return Downlink(begin_us, freq_hz, sf, bw_hz, raw, 0)


def _begin(tmst: int, now_us: int) -> int:
    """The time of a 32-bit stamp: the nearest one to now."""
    ahead = (tmst - now_us + (1 << 31)) % (1 << 32) - (1 << 31)
    if ahead < LEAD_MIN_US:
        raise DownlinkRefused("TOO_LATE")
    if ahead > LEAD_MAX_US:
        raise DownlinkRefused("TOO_EARLY")
    return now_us + ahead
