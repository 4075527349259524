"""A network server for Class A devices (TS001-1.0.4) of a region, in virtual time.

It trusts no device. An uplink is parsed, its code and counter are checked, and its answers are
compared with the requests. The device's settings change here only with its positive answer. Times
are in microseconds. The end of an uplink is the origin of its windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.world.lorawan import commands, plan
from simulator.world.lorawan.codec import DataDown, DataUp, FrameError, JoinRequest, Keys, parse
from simulator.world.lorawan.commands import MacCommand
from simulator.world.lorawan.join import Device, Grant, JoinServer
from simulator.world.lorawan.regions import EU868, Region

GPS_AT_ZERO = 1_400_000_000  # GPS seconds when virtual time begins
ADR_HISTORY = 20
ADR_MARGIN_DB, ADR_STEP_DB = 10.0, 3.0
FOPTS_MAX = 15


@dataclass(frozen=True)
class Reception:
    """An uplink as a gateway hands it over."""

    raw: bytes
    end_us: int
    freq_hz: int
    sf: int
    bw_hz: int
    snr: float = 5.0


@dataclass(frozen=True)
class Downlink:
    """A frame that a gateway is to send. window: 1 or 2. instead: the same in RX2."""

    begin_us: int
    freq_hz: int
    sf: int
    bw_hz: int
    raw: bytes
    window: int
    instead: Downlink | None = None


@dataclass
class DeviceSettings:
    """The settings of a device, as far as the network knows."""

    delay_s: int = 1
    rx1_offset: int = 0
    rx2_hz: int = plan.RX2_HZ
    rx2_rate: int = plan.RX2_RATE
    channels: dict[int, int] = field(default_factory=lambda: dict(enumerate(plan.JOIN_HZ)))
    down_hz: dict[int, int] = field(default_factory=dict)  # by uplink frequency
    rate: int = 0
    power: int = 0
    nb_trans: int = 1
    tx_param: int = 0


def default_settings(region: Region, delay_s: int = 1) -> DeviceSettings:
    """The settings of a device that has got no command yet."""
    return DeviceSettings(
        delay_s, rx2_hz=region.rx2_hz, rx2_rate=region.rx2_rate, channels=region.channels(),
        tx_param=region.tx_param,
    )  # fmt: skip


@dataclass
class Message:
    """A downlink of an application."""

    port: int | None
    payload: bytes
    confirmed: bool = False


@dataclass
class Session:
    """One device since its join. received: (FCnt, port, payload) of new frames."""

    device: Device | None
    addr: int
    keys: Keys
    settings: DeviceSettings = field(default_factory=DeviceSettings)
    fcnt_up: int = -1
    fcnt_down: int = 0
    requests: list[MacCommand] = field(default_factory=list)  # to be sent
    asked: list[MacCommand] = field(default_factory=list)  # sent, not answered
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # of the last new uplink
    messages: list[Message] = field(default_factory=list)
    received: list[tuple[int, int, bytes]] = field(default_factory=list)
    frames: list[tuple[int, DataUp]] = field(default_factory=list)  # every transmission
    acknowledged: int = 0  # confirmed downlinks
    snrs: list[float] = field(default_factory=list)
    replies: bytes = b""  # to LinkCheckReq and DeviceTimeReq, for the next downlink

    def extend(self, low: int) -> int:
        """The full counter of an uplink. A repetition has the counter of the last one."""
        if self.fcnt_up < 0:
            return low
        full = self.fcnt_up & ~0xFFFF | low
        return full if full >= self.fcnt_up else full + 0x10000


OnData = Callable[[Session, int, bytes, int], None]


class NetworkServer:
    """gps_at_zero: GPS seconds when virtual time begins. on_data(session, port, payload, end_us):
    called with each new frame that has a payload for the application.

    window: where downlinks go. adr: whether data rates are controlled. silent: no downlink.

    faults: uplinks that a conformant device would not have sent. cleartext: downlinks in clear, by
    their bytes on air (of a Join-Accept only the address).
    """

    def __init__(self, gps_at_zero: int = GPS_AT_ZERO, region: Region = EU868) -> None:
        self.gps_at_zero = gps_at_zero
        self.region = region
        self.joins = JoinServer()
        self.on_data: OnData = lambda _device, _port, _data, _end_us: None
        self.sessions: dict[int, Session] = {}
        self.latest: Session | None = None
        self.window = 1
        self.adr = False
        self.silent = False
        self.tells_time = True  # otherwise DeviceTimeReq gets no answer
        self.on_port_zero = False  # MAC commands in the payload
        self.faults: list[str] = []
        self.cleartext: dict[bytes, DataDown] = {}

    def uplink(self, got: Reception) -> Downlink | None:
        """Handle an uplink. Return the answer, if there is one."""
        try:
            self.region.band(got.freq_hz)
            frame = parse(got.raw)
            if isinstance(frame, JoinRequest):
                return self._join(frame, got)
            return self._data(frame, got)
        except (FrameError, ValueError) as error:
            self.faults.append(f"{got.end_us}: {error}")
            return None

    def personalise(self, addr: int, keys: Keys) -> Session:
        session = Session(None, addr, keys, default_settings(self.region))
        self.latest = self.sessions[addr] = session
        return self.latest

    # --- joining

    def _join(self, request: JoinRequest, got: Reception) -> Downlink | None:
        region = self.region
        rate = region.rate_of(got.sf, got.bw_hz)
        if not region.may_join(got.freq_hz, rate):
            raise FrameError(f"Join-Request at {got.freq_hz} Hz, DR{rate}")
        grant = self.joins.handle(request)
        if grant is None or self.silent:
            return None
        self.latest = self.sessions[grant.addr] = _session(grant, region)
        self.latest.settings.rate = rate
        self.cleartext[grant.frame] = DataDown(grant.addr, 0)
        return self._schedule(got, default_settings(region, 5), grant.frame)

    def _schedule(self, got: Reception, settings: DeviceSettings, raw: bytes) -> Downlink:
        uplink_rate = self.region.rate_of(got.sf, got.bw_hz)
        freq, rate = self.region.rx1(settings, got.freq_hz, uplink_rate)
        begin_us = got.end_us + settings.delay_s * 1_000_000
        modulation = self.region.modulations[settings.rx2_rate]
        second = Downlink(begin_us + 1_000_000, settings.rx2_hz, *modulation, raw, 2)
        if self.window == 2 or rate not in self.region.modulations:  # FSK
            return second
        return Downlink(begin_us, freq, *self.region.modulations[rate], raw, 1, second)

    # --- data

    def _data(self, frame: DataUp, got: Reception) -> Downlink | None:
        session = self.sessions.get(frame.addr)
        if session is None:
            raise FrameError(f"DevAddr {frame.addr:08x} is not known")
        fcnt = session.extend(frame.fcnt16)
        if not frame.authentic(session.keys, fcnt):
            raise FrameError(f"code of frame {fcnt}")
        self.latest = session
        again = fcnt == session.fcnt_up
        if again and session.frames[-1][1].raw != frame.raw:
            raise FrameError(f"counter {fcnt} for two frames")
        rate = self.region.rate_of(got.sf, got.bw_hz)
        session.frames.append((fcnt, frame))
        session.fcnt_up = fcnt
        session.settings.rate = rate
        if not again:
            self._accept(session, frame, fcnt, got)
        self._inspect(session.settings, frame, rate, got)
        return self._answer(session, frame, got)

    def _inspect(self, settings: DeviceSettings, frame: DataUp, rate: int, got: Reception) -> None:
        """Raise FrameError for an uplink that the device's settings do not permit."""
        if len(frame.options) + len(frame.payload) > self.region.payload_max(settings, rate):
            raise FrameError(f"too long for DR{rate}")
        air_us = plan.airtime_us(got.sf, got.bw_hz, len(got.raw), True)
        if air_us > self.region.uplink_max_us(settings):
            raise FrameError(f"{air_us / 1000:.0f} ms on the air")
        if got.freq_hz not in settings.channels.values():
            raise FrameError(f"{got.freq_hz} Hz is no channel")

    def _accept(self, session: Session, frame: DataUp, fcnt: int, got: Reception) -> None:
        text = frame.text(session.keys, fcnt) if frame.port is not None else b""
        found = commands.read(text if frame.port == 0 else frame.options)
        session.answers = found
        for number, body in found:
            self._read(session, number, body, got)
        session.asked.clear()  # a missing answer never comes later
        if frame.port:
            session.received.append((fcnt, frame.port, text))
            self.on_data(session, frame.port, text, got.end_us)
        session.acknowledged += frame.ack
        session.snrs = [*session.snrs, got.snr][-ADR_HISTORY:]
        if self.adr and frame.adr and len(session.snrs) == ADR_HISTORY:
            self._adapt_rate(session)

    def _read(self, session: Session, number: int, body: bytes, got: Reception) -> None:
        if number == commands.LINK_CHECK:
            margin = round(got.snr - plan.SNR_MIN_DB[got.sf])
            session.replies += bytes([number, max(margin, 0), 1])
        elif number == commands.DEVICE_TIME:
            if not self.tells_time:
                return
            ticks = got.end_us * 256 // 1_000_000
            seconds = (self.gps_at_zero + ticks // 256).to_bytes(4, "little")
            session.replies += bytes([number]) + seconds + bytes([ticks % 256])
        else:
            asked = next((a for a in session.asked if a.number == number), None)
            if asked:
                session.asked.remove(asked)
                if not body or body[0] == commands.GRANTED.get(number, body[0]):
                    _apply(session.settings, asked, self.region)

    def _adapt_rate(self, session: Session) -> None:
        """The usual algorithm: the best of twenty signals, a margin, steps of 3 dB."""
        settings = session.settings
        region = self.region
        needed = plan.SNR_MIN_DB[region.modulations[settings.rate][0]]
        steps = int((max(session.snrs) - needed - ADR_MARGIN_DB) // ADR_STEP_DB)
        rate, power = settings.rate, settings.power
        while steps > 0 and rate < region.adr_rate_max:
            rate, steps = rate + 1, steps - 1
        power = min(power + max(steps, 0), region.adr_power_max)
        if (rate, power) != (settings.rate, settings.power):
            session.requests.append(region.adr(settings, rate, power))
            session.snrs.clear()

    def _answer(self, session: Session, frame: DataUp, got: Reception) -> Downlink | None:
        due = session.requests or session.messages or session.replies
        if self.silent or not (due or frame.confirmed or frame.adr_ack_req):
            return None
        options = session.replies + b"".join(r.encode() for r in session.requests)
        in_payload = self.on_port_zero or len(options) > FOPTS_MAX
        message = Message(None, b"")
        if in_payload and options:
            message, options = Message(0, options), b""
        elif session.messages:
            message = session.messages.pop(0)
        session.asked, session.requests, session.replies = session.requests, [], b""
        down = DataDown(
            session.addr,
            session.fcnt_down,
            message.port,
            message.payload,
            options,
            message.confirmed,
            frame.confirmed,
            bool(session.messages),
        )
        session.fcnt_down += 1
        raw = down.encode(session.keys)
        self.cleartext[raw] = down
        return self._schedule(got, session.settings, raw)


def _session(grant: Grant, region: Region) -> Session:
    given = grant.device.settings
    settings = default_settings(region, max(given.delay, 1))
    settings.rx1_offset, settings.rx2_rate = given.rx1_offset, given.rx2_rate
    settings.channels = region.channels_after_join(given.cf_list)
    made = Session(grant.device, grant.addr, grant.keys, settings)
    made.requests += region.after_join(given)
    return made


def _apply(settings: DeviceSettings, request: MacCommand, region: Region) -> None:
    """The device has agreed."""
    fields = request.fields
    if request.number == commands.LINK_ADR:
        settings.power, settings.nb_trans = fields[1], max(fields[4], 1)
        settings.channels = region.channels_after_mask(settings, fields[2], fields[3])
    elif request.number == commands.TX_PARAM:
        settings.tx_param = fields[0]
    elif request.number == commands.RX_PARAM:
        settings.rx1_offset, settings.rx2_rate, settings.rx2_hz = fields
    elif request.number == commands.NEW_CHANNEL and fields[1]:
        settings.channels[fields[0]] = fields[1]
    elif request.number == commands.NEW_CHANNEL:
        settings.channels.pop(fields[0], None)
    elif request.number == commands.RX_TIMING:
        settings.delay_s = max(fields[0], 1)
    elif request.number == commands.DL_CHANNEL:
        settings.down_hz[settings.channels[fields[0]]] = fields[1]
