"""Steps of several scenarios."""

from __future__ import annotations

from simulator.world.lorawan.codec import DataDown, DataUp
from simulator.world.lorawan.commands import MacCommand
from simulator.world.lorawan.server import Downlink, Session
from tests.conformance.support.rig import SECOND, Rig, Transmission


def ask(rig: Rig, *requests: MacCommand) -> list[tuple[int, bytes]]:
    """Give the device commands. Returns the answers in the uplink after them."""
    rig.session().requests += requests
    rig.send()
    rig.send()
    return rig.session().answers


def last_frame(rig: Rig) -> DataUp:
    return rig.session().frames[-1][1]


def replace(rig: Rig, *raws: bytes) -> None:
    """Answer the next uplinks with these bytes in RX1."""
    queue = list(raws)

    def forge(answer: Downlink | None, sent: Transmission) -> Downlink | None:
        if not queue:
            return answer
        begin = sent.end_us + rig.session().settings.delay_s * SECOND
        return Downlink(begin, sent.freq_hz, sent.sf, sent.bw_hz, queue.pop(0), 1)

    rig.forge = forge


def down(
    session: Session,
    fcnt: int,
    port: int | None = None,
    payload: bytes = b"",
    options: bytes = b"",
) -> bytes:
    """An authentic downlink."""
    frame = DataDown(session.addr, fcnt, port, payload, options)
    return frame.encode(session.keys)
