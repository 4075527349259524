"""US915 and AS923 against their networks: joining, masks, windows, payloads, dwell time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from simulator.world.lorawan import commands as mac
from simulator.world.lorawan.regions import As923, Region, Us915
from simulator.world.lorawan.server import Downlink, Message, Reception
from tests.conformance.support.rig import Refused, Rig
from tests.conformance.support.steps import ask, last_frame


@contextmanager
def at(region: Region, sure: int = 51) -> Iterator[Rig]:
    """A device under a gateway that receives only the region's channels, without a fault at the
    end.
    """
    with Rig(region=region, sure=sure, error_us=20_000) as rig:
        hear = rig.network.uplink

        def uplink(got: Reception) -> Downlink | None:
            heard = region.can_receive(got.freq_hz, got.sf, got.bw_hz)
            return hear(got) if heard else None

        rig.network.uplink = uplink  # type: ignore[method-assign]
        yield rig
        assert rig.network.faults == []


def enabled(rig: Rig, frames: int = 18) -> set[int]:
    """Channel numbers of the next frames."""
    before = len(rig.sent)
    for _ in range(frames):
        rig.send(b"")
    numbers = {freq: index for index, freq in rig.network.region.channels().items()}
    return {numbers[frame.freq_hz] for frame in rig.sent[before:]}


@pytest.mark.parametrize("sub_band", [1, 2, 8])
@pytest.mark.parametrize("by_list", [True, False])
def test_a_gateway_of_eight_channels_is_found_and_kept_to(sub_band: int, by_list: bool) -> None:
    region = Us915(sub_band, by_list)
    with at(region) as rig:
        session = rig.join()
        assert 1 <= len(rig.sent) <= 16  # all groups have had their turn
        rig.send()
        assert len(session.settings.channels) == (9 if by_list else 72)
        while len(session.settings.channels) > 9:
            rig.send()
        assert sorted(session.settings.channels) == region.gateway_channels()
        assert ask(rig, mac.link_adr(0, 15, 0xFF << 8 * ((sub_band - 1) % 2), (sub_band - 1) // 2))
        assert enabled(rig) == set(region.gateway_channels()[:8])
        assert ask(rig, mac.link_adr(4, 15, 1 << sub_band - 1, 7)) == [(3, b"\7")]
        assert enabled(rig, 2) == {region.gateway_channels()[8]}


def test_both_windows_are_heard_in_us915() -> None:
    with at(Us915()) as rig:
        session = rig.join()
        rig.send()
        for rate in range(5):
            mask = (0, 15, 2, 7) if rate == 4 else (0, 15, 0xFF00, 0)
            assert ask(rig, mac.link_adr(rate, *mask[1:])) == [(3, b"\7")]
            for offset in range(4):
                assert ask(rig, mac.rx_param(offset, 8 + rate, 923_900_000)) == [(5, b"\7")]
                for window in (1, 2):
                    rig.network.window = window
                    session.messages.append(Message(9, b"down"))
                    rig.send()
                    assert rig.pop_events("down"), (rate, offset, window)
                rig.network.window = 1


def test_the_longest_payload_of_every_data_rate_of_us915() -> None:
    with at(Us915(), sure=0) as rig:
        session = rig.join()
        rig.send()
        for rate, size_max in Us915.payload_max_by_rate.items():
            ask(rig, mac.link_adr(rate, 15, *((2, 7) if rate == 4 else (0xFF00, 0))))
            rig.send(bytes(size_max), 5)
            assert session.received[-1][2] == bytes(size_max)
            with pytest.raises(Refused, match=f"{size_max + 1} of {size_max} bytes"):
                rig.send(bytes(size_max + 1), 5)


def test_records_go_out_above_a_data_rate_that_does_not_carry_them() -> None:
    with at(Us915()) as rig:
        session = rig.join()
        rig.send()
        assert ask(rig, mac.link_adr(0, 15, 0xFF00, 0)) == [(3, b"\7")]
        rig.send(bytes(51), 5)
        assert session.received[-1][2] == bytes(51) and rig.sent[-1].sf == 9
        assert not last_frame(rig).adr
        rig.send(b"short", 5)
        assert rig.sent[-1].sf == 10 and last_frame(rig).adr


def test_downlinks_are_as_long_as_their_data_rate_allows_in_us915() -> None:
    with at(Us915()) as rig:
        session = rig.join()
        rig.send()
        rig.network.window = 2
        for size, taken in ((53, True), (54, False)):
            session.messages.append(Message(9, bytes(size)))
            rig.send()
            assert bool(rig.pop_events("down")) is taken
        assert rig.facts()["health"]["refused"] == {"length": 1}


@pytest.mark.parametrize("limited", [False, True])
def test_a_network_sets_the_dwell_time_of_as923(limited: bool) -> None:
    region = As923(limited)
    with at(region) as rig:
        session = rig.join()
        assert all(frame.end_us - frame.begin_us <= 400_000 for frame in rig.sent)
        rig.send(b"")
        rig.send(b"")
        assert session.answers == [(9, b"")] and session.settings.tx_param == region.wanted
        rig.send(b"")
        assert session.answers == [(9, b"")]  # until a downlink has come
        session.messages.append(Message(9, b"down"))
        rig.send(b"")
        rig.send(b"")
        assert session.answers == []
        assert ask(rig, mac.link_adr(1, 0, 3)) == [(3, b"\5" if limited else b"\7")]
        assert rig.sent[-1].dbm == (14 if limited else 12)
        assert ask(rig, mac.link_adr(2, 0, 3)) == [(3, b"\7")]
        rig.send(bytes(51), 5)
        assert (rig.sent[-1].sf, last_frame(rig).adr) == ((9, False) if limited else (10, True))


@pytest.mark.parametrize("limited", [False, True])
def test_both_windows_are_heard_in_as923(limited: bool) -> None:
    with at(As923(limited)) as rig:
        session = rig.join()
        rig.send()
        rig.send()
        for rate in (2, 4, 5):
            assert ask(rig, mac.link_adr(rate, 0, 3)) == [(3, b"\7")]
            for offset in range(8):
                assert ask(rig, mac.rx_param(offset, 2, 923_200_000)) == [(5, b"\7")]
                session.messages.append(Message(9, bytes(40)))
                rig.send()
                assert rig.pop_events("down"), (rate, offset)
