"""Properties of all frames that a device has sent, in any life.

Each check reads frames from the air and raises AssertionError. No check asks the device.
"""

from __future__ import annotations

from collections import defaultdict

from simulator.world.lorawan import radio_medium, plan
from simulator.world.lorawan.codec import DataUp, JoinRequest, parse
from simulator.world.lorawan.regions import EU868, Region
from simulator.world.lorawan.server import Downlink
from tests.conformance.support.rig import SECOND, Transmission

HOUR = plan.HOUR_US


def max_in_an_hour(frames: list[Transmission]) -> int:
    """The largest airtime within any hour, in microseconds. A frame counts from its beginning."""
    largest = total = first = 0
    for frame in frames:
        total += frame.end_us - frame.begin_us
        while frames[first].begin_us <= frame.begin_us - HOUR:
            total -= frames[first].end_us - frames[first].begin_us
            first += 1
        largest = max(largest, total)
    return largest


def duty_cycle(sent: list[Transmission], region: Region = EU868) -> dict[int, float]:
    """In no hour more than its share in any sub-band. Returns the share that was used."""
    bands: dict[int, list[Transmission]] = defaultdict(list)
    for frame in sent:
        bands[region.band(frame.freq_hz)].append(frame)
    used = {}
    for band, frames in bands.items():
        limit = region.duty_cycle(frames[0].freq_hz) * HOUR
        used[band] = max_in_an_hour(frames) / limit
        assert used[band] <= 1, f"{used[band]:.3f} of sub-band {band}"
    return used


def join_airtime(sent: list[Transmission], boots: list[int]) -> list[int]:
    """TS001-1.0.4, 7: below 36 s in the first hour of a life, 36 s in ten hours, 8.7 s a day."""
    spent: dict[tuple[int, int], int] = defaultdict(int)
    for frame in sent:
        if isinstance(parse(frame.raw), JoinRequest):
            hours = (frame.begin_us - boots[frame.life - 1]) / HOUR
            period = 0 if hours < 1 else 1 if hours < 11 else 2 + int((hours - 11) // 24)
            spent[frame.life, period] += frame.end_us - frame.begin_us
    for (life, period), airtime in spent.items():
        limit = 36 * SECOND if period < 2 else 8_700_000
        assert airtime < limit, f"life {life}, period {period}: {airtime} us"
    return list(spent.values())


def counters(sent: list[Transmission]) -> None:
    """DevNonce and, per address, FCntUp only rise. A repetition is the very same frame."""
    nonce = -1
    last: dict[int, tuple[int, DataUp]] = {}
    for on_air in sent:
        frame = parse(on_air.raw)
        if isinstance(frame, JoinRequest):
            assert frame.dev_nonce > nonce, f"DevNonce {frame.dev_nonce} after {nonce}"
            nonce = frame.dev_nonce
        elif frame.addr not in last:
            last[frame.addr] = frame.fcnt16, frame
        else:
            fcnt, before = last[frame.addr]
            full = fcnt & ~0xFFFF | frame.fcnt16
            assert full > fcnt or frame.raw == before.raw, f"FCntUp {full} after {fcnt}"
            last[frame.addr] = full, frame


def windows(opened: list[radio_medium.IdealWindow], ends: list[int]) -> None:
    """Each window catches a downlink that begins at its nominal time, and opens no later."""
    for window, end in zip(opened, ends):
        delay = round((window.open_us - end) / SECOND)
        nominal = end + delay * SECOND
        down = Downlink(nominal, window.freq_hz, window.sf, window.bw_hz, b"", 0)
        assert window.hears(down), f"{window} after {end}"
        assert window.open_us <= nominal, f"late: {window} after {end}"
