"""A week of a device with every frame kept: joins, data both ways, MAC commands."""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan.codec import DataUp, JoinRequest, parse
from simulator.world.lorawan.join import cf_list
from simulator.world.lorawan.server import Downlink, Message
from tests.conformance.support.rig import APP_KEY, SECOND, Rig, Transmission

INTERVAL_US = 900 * SECOND
DAY = 96  # intervals


@dataclass(frozen=True)
class Frame:
    """One frame on air and its contents. kind: 0 to 5, the type in its header.

    text: of the port's payload, in clear. nwk, app: keys, of a Join-Accept the new ones.
    """

    kind: int
    raw: bytes
    freq_hz: int
    sf: int
    addr: int = 0
    fcnt: int = 0
    port: int | None = None
    text: bytes = b""
    options: bytes = b""
    nwk: bytes = b""
    app: bytes = b""
    dev_nonce: int = 0


def record(days: int = 7, seed: int = 1) -> list[Frame]:
    """The frames of so many days, in the order of their transmission."""
    draw = random.Random(seed)
    with Rig(seed, error_us=5000, clock_ppm=20) as rig:
        rig.network.adr = True
        rig.loss = 0.05
        rig.enrol(cf_list=cf_list(867_100_000, 867_300_000), rx2_rate=3)
        _join(rig)
        for interval in range(days * DAY):
            rig.now = max(rig.now, interval * INTERVAL_US)
            if interval == days * DAY // 2:  # a new device in the old one's place
                rig.boot()
                _join(rig)
            _ask(rig, draw, interval)
            size = min(draw.choice((12, 24, 51)), rig.facts()["max_payload"])
            rig.send(draw.randbytes(size), draw.choice((1, 2, 223)), draw.random() < 0.1)
        assert rig.network.faults == []
        return _frames(rig)


def _join(rig: Rig) -> None:
    rig.request_join()
    while not rig.pop_events("joined"):
        rig.run(until=rig.now + 60 * SECOND)


def _ask(rig: Rig, draw: random.Random, interval: int) -> None:
    session = rig.session()
    if interval % 30 == 0:
        asked = (mac.dev_status(), mac.rx_timing(1 + interval % 3), mac.duty_cycle(0))
        session.requests += [draw.choice(asked), mac.dl_channel(0, 868_100_000)]
        rig.network.on_port_zero = draw.random() < 0.3
    if interval % 40 == 7:
        session.messages.append(
            Message(10, draw.randbytes(draw.randrange(1, 40)), interval % 80 == 7)
        )
    if interval % DAY == 3:
        rig.call("queue_request", "time")
        rig.call("queue_request", "link_check")


def _frames(rig: Rig) -> list[Frame]:
    ups = [(sent.begin_us, _up(rig, sent)) for sent in rig.sent]
    downs = [(down.begin_us, _down(rig, down)) for down in rig.downlinks]
    return [frame for _begin, frame in sorted(ups + downs, key=lambda pair: pair[0])]


def _up(rig: Rig, sent: Transmission) -> Frame:
    frame = parse(sent.raw)
    if isinstance(frame, JoinRequest):
        return Frame(0, sent.raw, sent.freq_hz, sent.sf, dev_nonce=frame.dev_nonce)
    return _data(rig, frame, sent)


def _data(rig: Rig, frame: DataUp, sent: Transmission) -> Frame:
    keys = rig.network.sessions[frame.addr].keys
    text = frame.text(keys, frame.fcnt16)  # a week stays below 2^16
    return Frame(
        sent.raw[0] >> 5, sent.raw, sent.freq_hz, sent.sf, frame.addr, frame.fcnt16, frame.port,
        text, frame.options, keys.nwk, keys.app,
    )  # fmt: skip


def _down(rig: Rig, down: Downlink) -> Frame:
    """A downlink with the contents that the network put in."""
    said = rig.network.cleartext[down.raw]
    keys = rig.network.sessions[said.addr].keys
    if down.raw[0] >> 5 == 1:
        nonce = rig.network.joins.devices[0x70B3D57ED0000002].nonces
        index = list(rig.network.sessions).index(said.addr)
        return Frame(
            1, down.raw, down.freq_hz, down.sf, said.addr, nwk=keys.nwk, app=keys.app,
            dev_nonce=nonce[index],
        )  # fmt: skip
    return Frame(
        down.raw[0] >> 5, down.raw, down.freq_hz, down.sf, said.addr, said.fcnt, said.port,
        said.payload, said.options, keys.nwk, keys.app,
    )  # fmt: skip


__all__ = ["APP_KEY", "Frame", "record"]
