"""The LoRaWAN stack inside an emulated modem, as far as its host can tell: whole transactions.

Frames are real (built and read with `codec.py`) and go to the network server. Radio timing is
assumed to be right: windows are where the server sends. Three channels. LinkADRReq is always
granted. The duty cycle is kept in one band of 1 % by waiting after each frame.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.world.lorawan import commands, plan, radio_medium
from simulator.world.lorawan.codec import (
    CONFIRMED_UP,
    UNCONFIRMED_UP,
    JoinAccept,
    Keys,
    cmac,
    data_mic,
    encrypt,
    stream,
)
from simulator.world.lorawan.server import Downlink, NetworkServer, Reception

GPS_TO_UNIX, LEAP_S = 315_964_800, 18
SILENT_US = 400_000  # of the second window without a downlink
# Commands of the network: bytes behind their number.
DOWN_BYTES = {
    commands.LINK_CHECK: 2, commands.LINK_ADR: 4, commands.DUTY_CYCLE: 1, commands.RX_PARAM: 4,
    commands.DEV_STATUS: 0, commands.NEW_CHANNEL: 5, commands.RX_TIMING: 1,
    commands.DL_CHANNEL: 4, commands.DEVICE_TIME: 5,
}  # fmt: skip


@dataclass
class Outcome:
    """The result of a transaction. end_us: when the modem knows. window: 0 = nothing received."""

    end_us: int
    window: int = 0
    joined: bool = False
    acked: bool = False
    pending: bool = False
    confirmed: bool = False
    port: int | None = None
    payload: bytes = b""
    timed: bool = False
    rssi: int = -80
    snr: int = 7


@dataclass
class Session:
    addr: int
    keys: Keys
    fcnt_up: int = 0
    fcnt_down: int = -1
    ack_due: bool = False
    answers: bytes = b""


@dataclass
class Mac:
    """rising: DevNonces count up and outlive a restart. Otherwise they are random.

    loss: share of uplinks that no gateway receives. away: (start, end) without a gateway, in
    microseconds. refusals: number of joins from now on that get no answer. sent: start, length,
    frequency.
    """

    network: NetworkServer
    rng: random.Random
    rising: bool
    dev_eui: int = 0
    join_eui: int = 0
    app_key: bytes = bytes(16)
    rate: int = 0
    adr: bool = True
    retries: int = 0
    loss: float = 0.0
    away: Sequence[tuple[int, int]] = ()
    refusals: int = 0
    session: Session | None = None
    nonce: int = 0
    free_us: int = 0  # when there is airtime again
    want_time: bool = False
    utc_us: int | None = None  # UTC in microseconds minus virtual time, since it is known
    uplinks: list[tuple[int, int, bytes]] = field(default_factory=list)  # counter, port, payload
    sent: list[tuple[int, int, int]] = field(default_factory=list)

    def restart(self) -> None:
        self.session = None
        self.want_time = False
        self.utc_us = None

    def wait_us(self, t_us: int) -> int:
        return max(0, self.free_us - t_us)

    def payload_max(self) -> int:
        due = len(self.session.answers) if self.session else 0
        return plan.PAYLOAD_MAX[self.rate] - due

    def join(self, t_us: int) -> Outcome:
        self.nonce = self.nonce + 1 if self.rising else self.rng.randrange(1 << 16)
        body = b"\0" + self.join_eui.to_bytes(8, "little") + self.dev_eui.to_bytes(8, "little")
        body += self.nonce.to_bytes(2, "little")
        raw = body + cmac(self.app_key, body)
        self.session = None
        end_us, down = self._transmit(t_us, raw, self.refusals > 0)
        self.refusals = max(0, self.refusals - 1)
        if down is None:
            return Outcome(end_us + 6_000_000 + SILENT_US)
        plain = encrypt(self.app_key, down.raw[1:])
        if cmac(self.app_key, down.raw[:1] + plain[:-4]) != plain[-4:]:
            return Outcome(end_us + 6_000_000 + SILENT_US)
        nonce, net, addr = (
            int.from_bytes(plain[i:j], "little") for i, j in ((0, 3), (3, 6), (6, 10))
        )
        keys = JoinAccept(nonce, net, addr).keys(self.app_key, self.nonce)
        self.session = Session(addr, keys)
        return Outcome(radio_medium.end_us(down), down.window, joined=True)

    def uplink(self, t_us: int, port: int, payload: bytes, confirmed: bool) -> Outcome:
        """Send, with the repetitions of a confirmed frame."""
        assert self.session
        raw = self._frame(port, payload, confirmed)
        self.uplinks.append((self.session.fcnt_up, port, payload))
        self.session.fcnt_up += 1
        outcome = Outcome(t_us)
        for _ in range(1 + (self.retries if confirmed else 0)):
            outcome = self._transaction(max(outcome.end_us, t_us), raw)
            if outcome.acked or not confirmed:
                break
        return outcome

    def _frame(self, port: int, payload: bytes, confirmed: bool) -> bytes:
        session = self.session
        assert session
        options = session.answers + (bytes([commands.DEVICE_TIME]) if self.want_time else b"")
        session.answers = b""
        kind = CONFIRMED_UP if confirmed else UNCONFIRMED_UP
        control = self.adr << 7 | session.ack_due << 5 | len(options)
        session.ack_due = False
        frame = bytes([kind << 5]) + session.addr.to_bytes(4, "little") + bytes([control])
        frame += (session.fcnt_up & 0xFFFF).to_bytes(2, "little") + options
        if payload:
            frame += bytes([port])
            frame += stream(session.keys.app, session.addr, session.fcnt_up, 0, payload)
        return frame + data_mic(session.keys, session.addr, session.fcnt_up, 0, frame)

    def _transaction(self, t_us: int, raw: bytes) -> Outcome:
        end_us, down = self._transmit(t_us, raw, False)
        session = self.session
        assert session
        if down is None:
            return Outcome(end_us + 2_000_000 + SILENT_US)
        fcnt = int.from_bytes(down.raw[6:8], "little")
        good = data_mic(session.keys, session.addr, fcnt, 1, down.raw[:-4]) == down.raw[-4:]
        if not good or fcnt <= session.fcnt_down:
            return Outcome(end_us + 2_000_000 + SILENT_US)
        session.fcnt_down = fcnt
        return self._read(down.raw, fcnt, end_us, Outcome(radio_medium.end_us(down), down.window))

    def _read(self, raw: bytes, fcnt: int, sent_us: int, outcome: Outcome) -> Outcome:
        session = self.session
        assert session
        control = raw[5]
        start = 8 + (control & 15)
        options = raw[8:start]
        outcome.acked = bool(control & 0x20)
        outcome.pending = bool(control & 0x10)
        outcome.confirmed = raw[0] >> 5 == 5
        session.ack_due = outcome.confirmed
        if start < len(raw) - 4:
            port = raw[start]
            key = session.keys.app if port else session.keys.nwk
            text = stream(key, session.addr, fcnt, 1, raw[start + 1 : -4])
            if port:
                outcome.port, outcome.payload = port, text
            else:
                options = text
        self._apply_commands(options, sent_us, outcome)
        return outcome

    def _apply_commands(self, options: bytes, sent_us: int, outcome: Outcome) -> None:
        session = self.session
        assert session
        while options:
            number, body = options[0], options[1 : 1 + DOWN_BYTES[options[0]]]
            options = options[1 + len(body) :]
            if number == commands.LINK_ADR:
                self.rate = body[0] >> 4
                session.answers += bytes([number, 7])
            elif number == commands.DEV_STATUS:
                session.answers += bytes([number, 0, 7])
            elif number == commands.DEVICE_TIME and self.want_time:
                gps_us = int.from_bytes(body[:4], "little") * 1_000_000
                gps_us += body[4] * 1_000_000 // 256
                self.utc_us = gps_us + (GPS_TO_UNIX - LEAP_S) * 1_000_000 - sent_us
                self.want_time = False
                outcome.timed = True

    def _transmit(self, t_us: int, raw: bytes, deaf: bool) -> tuple[int, Downlink | None]:
        sf, bw = plan.modulation_of(self.rate)
        air_us = round(plan.airtime_us(sf, bw, len(raw), True))
        end_us = t_us + air_us
        self.free_us = end_us + air_us * 99
        deaf = deaf or any(start <= end_us < end for start, end in self.away)
        if deaf or self.rng.random() < self.loss:
            self.sent.append((t_us, air_us, plan.JOIN_HZ[0]))
            return end_us, None
        freq = plan.JOIN_HZ[self.rng.randrange(3)]
        self.sent.append((t_us, air_us, freq))
        return end_us, self.network.uplink(Reception(raw, end_us, freq, sf, bw))
