"""Regions from the network's side (RP002-1.0.4, 2.4, 2.5, 2.10): channels, data rates, windows.

A device's settings are read through the protocol `RegionSettings`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from simulator.world.lorawan import commands, plan
from simulator.world.lorawan.commands import MacCommand
from simulator.world.lorawan.join import JoinSettings, cf_mask

Channels = Mapping[int, int]  # number: uplink frequency
DWELL_US = 400_000


class RegionSettings(Protocol):
    """The settings of a device."""

    channels: dict[int, int]
    down_hz: dict[int, int]
    rx1_offset: int
    tx_param: int


class Region:
    """EU868, and the parts that the other regions share with it.

    modulations: by data rate. uplink_rates: data rates of uplinks. payload_max_by_rate: N of these
    rates. adr_rate_max, adr_power_max: limits of ADR.
    """

    name = "EU868"
    modulations = {rate: plan.modulation_of(rate) for rate in range(7)}
    uplink_rates: Iterable[int] = range(7)
    payload_max_by_rate: Mapping[int, int] = plan.PAYLOAD_MAX
    rx2_hz, rx2_rate = plan.RX2_HZ, plan.RX2_RATE
    adr_rate_max, adr_power_max = 5, 7
    tx_param = 0  # of a device with default settings
    join_rates: Iterable[int] = range(6)
    extra_hz: tuple[int, ...] = plan.EXTRA_HZ  # that a network of eight channels adds

    def channels(self) -> dict[int, int]:
        """The channels of a device with default settings."""
        return dict(enumerate(plan.JOIN_HZ))

    def rate_of(self, sf: int, bw_hz: int) -> int:
        """Data rate of an uplink. Raises ValueError."""
        for rate in self.uplink_rates:
            if self.modulations[rate] == (sf, bw_hz):
                return rate
        raise ValueError(f"SF{sf} on {bw_hz} Hz is no uplink of {self.name}")

    def rx1(self, settings: RegionSettings, uplink_hz: int, rate: int) -> tuple[int, int]:
        """(frequency, data rate) of the first window."""
        return settings.down_hz.get(uplink_hz, uplink_hz), self.rx1_rate(settings, rate)

    def rx1_rate(self, settings: RegionSettings, rate: int) -> int:
        return plan.rx1_rate(rate, settings.rx1_offset)

    def duty_cycle(self, freq_hz: int) -> float:
        """Share of an hour in the sub-band. Raises ValueError where sending is not allowed."""
        return plan.SUB_BANDS[self.band(freq_hz)][2]

    def band(self, freq_hz: int) -> int:
        return plan.sub_band(freq_hz)

    def uplink_max_us(self, _settings: RegionSettings) -> int:
        """Time on air of the longest uplink."""
        return plan.HOUR_US

    def payload_max(self, _settings: RegionSettings, rate: int) -> int:
        """N, the longest payload of an uplink."""
        return self.payload_max_by_rate[rate]

    def may_join(self, freq_hz: int, rate: int) -> bool:
        return freq_hz in self.channels().values() and rate in self.join_rates

    def can_receive(self, freq_hz: int, sf: int, bw_hz: int) -> bool:
        """Whether a gateway has a path for such an uplink."""
        try:
            self.band(freq_hz)
            self.rate_of(sf, bw_hz)
        except ValueError:
            return False
        return True

    def downlink_dbm(self, down_hz: int) -> float:
        """Power that a gateway radiates."""
        return 27.0 if plan.sub_band(down_hz) == 4 else 14.0

    # --- commands of the network

    def accept(self) -> JoinSettings:
        """The default settings of a Join-Accept."""
        return JoinSettings(rx2_rate=self.rx2_rate)

    def after_join(self, _accept: JoinSettings) -> list[MacCommand]:
        """The first commands for a new device."""
        return []

    def channels_after_join(self, cf_list: bytes) -> dict[int, int]:
        """Channels after a Join-Accept with this CFList."""
        found = self.channels()
        first = len(found)
        for i in range(5 if cf_list and not cf_list[15] else 0):
            freq = int.from_bytes(cf_list[3 * i : 3 * i + 3], "little") * 100
            if freq:
                found[first + i] = freq
        return found

    def channels_after_mask(
        self, settings: RegionSettings, _mask: int, _control: int
    ) -> dict[int, int]:
        """Channels after a LinkADRReq. Here a mask leaves the definitions alone."""
        return settings.channels

    def adr(self, settings: RegionSettings, rate: int, power: int) -> MacCommand:
        mask = sum(1 << index for index in settings.channels)
        return commands.link_adr(rate, power, mask)


class SingleBandRegion(Region):
    """A region that is one sub-band. edges_hz: its ends. duty_cycle_limit: share of an hour."""

    edges_hz = (0, 0)
    duty_cycle_limit = 1.0
    extra_hz = ()

    def band(self, freq_hz: int) -> int:
        if not self.edges_hz[0] <= freq_hz <= self.edges_hz[1]:
            raise ValueError(f"{freq_hz / 1e6} MHz is outside of {self.name}")
        return 0

    def duty_cycle(self, freq_hz: int) -> float:
        self.band(freq_hz)
        return self.duty_cycle_limit


class As923(SingleBandRegion):
    """AS923-1. limited: the network wants 400 ms (uplinks and downlinks) and 16 dBm. Otherwise it
    sets no limit of time and 14 dBm.
    """

    name = "AS923"
    edges_hz, duty_cycle_limit = (915_000_000, 928_000_000), 0.01
    payload_max_by_rate = {0: 51, 1: 51, 2: 115, 3: 115, 4: 242, 5: 242, 6: 242}
    payload_max_dwell = {2: 11, 3: 53, 4: 125, 5: 242, 6: 242}
    rx2_hz, rx2_rate = 923_200_000, 2
    tx_param = 0x15
    join_rates = range(2, 6)

    def __init__(self, limited: bool = False) -> None:
        self.wanted = 0x35 if limited else 0x04

    def channels(self) -> dict[int, int]:
        return {0: 923_200_000, 1: 923_400_000}

    def rx1_rate(self, settings: RegionSettings, rate: int) -> int:
        shift = (0, 1, 2, 3, 4, 5, -1, -2)[settings.rx1_offset]
        return max(rate - shift, 2 if settings.tx_param & 0x20 else 0)

    def uplink_max_us(self, settings: RegionSettings) -> int:
        return DWELL_US if settings.tx_param & 0x10 else plan.HOUR_US

    def payload_max(self, settings: RegionSettings, rate: int) -> int:
        return (
            self.payload_max_dwell.get(rate, 0)
            if settings.tx_param & 0x10
            else self.payload_max_by_rate[rate]
        )

    def downlink_dbm(self, down_hz: int) -> float:
        return 16.0

    def after_join(self, _accept: JoinSettings) -> list[MacCommand]:
        return [commands.tx_param(self.wanted)]


class Us915(SingleBandRegion):
    """US915 with a gateway of 8 + 1 channels. sub_band: 1 to 8. uses_cf_list: devices get their
    channels by a CFList, otherwise by LinkADRReq after the join.
    """

    name = "US915"
    edges_hz = (902_000_000, 928_000_000)
    modulations = {
        0: (10, 125_000), 1: (9, 125_000), 2: (8, 125_000), 3: (7, 125_000), 4: (8, 500_000),
        **{20 - sf: (sf, 500_000) for sf in range(12, 6, -1)},
    }  # fmt: skip
    uplink_rates = range(5)
    payload_max_by_rate = {0: 11, 1: 53, 2: 125, 3: 242, 4: 242}
    rx2_hz, rx2_rate = 923_300_000, 8
    adr_rate_max, adr_power_max = 3, 10
    join_rates = (0, 4)

    def __init__(self, sub_band: int = 2, uses_cf_list: bool = True) -> None:
        self.sub_band, self.uses_cf_list = sub_band, uses_cf_list

    def channels(self) -> dict[int, int]:
        narrow = {i: 902_300_000 + 200_000 * i for i in range(64)}
        return {**narrow, **{64 + i: 903_000_000 + 1_600_000 * i for i in range(8)}}

    def rx1(self, settings: RegionSettings, uplink_hz: int, rate: int) -> tuple[int, int]:
        index = next(i for i, hz in self.channels().items() if hz == uplink_hz)
        return 923_300_000 + 600_000 * (index % 8), self.rx1_rate(settings, rate)

    def rx1_rate(self, settings: RegionSettings, rate: int) -> int:
        return (
            max(8, min(13, rate + 10) - settings.rx1_offset)
            if rate < 4
            else (min(13, 14 - settings.rx1_offset))
        )

    def uplink_max_us(self, _settings: RegionSettings) -> int:
        return DWELL_US

    def may_join(self, freq_hz: int, rate: int) -> bool:
        return rate in self.join_rates and self._is_wide(freq_hz, range(72)) == (rate == 4)

    def _is_wide(self, freq_hz: int, numbers: Iterable[int]) -> bool | None:
        """Whether it is a 500 kHz channel among these. None: it is none of them."""
        found = [i for i, hz in self.channels().items() if hz == freq_hz and i in numbers]
        return found[0] >= 64 if found else None

    def can_receive(self, freq_hz: int, sf: int, bw_hz: int) -> bool:
        wide = self._is_wide(freq_hz, self.gateway_channels())
        known = (sf, bw_hz) in [self.modulations[rate] for rate in self.uplink_rates]
        return known and wide == (bw_hz == 500_000)

    def gateway_channels(self) -> list[int]:
        """Numbers of the gateway's channels."""
        first = 8 * (self.sub_band - 1)
        return [*range(first, first + 8), 63 + self.sub_band]

    def downlink_dbm(self, down_hz: int) -> float:
        return 27.0

    def accept(self) -> JoinSettings:
        mask = sum(1 << i for i in self.gateway_channels())
        return JoinSettings(
            rx2_rate=self.rx2_rate, cf_list=cf_mask(mask) if self.uses_cf_list else b""
        )

    def after_join(self, accept: JoinSettings) -> list[MacCommand]:
        if accept.cf_list:
            return []
        block, half = divmod(self.sub_band - 1, 2)
        return [
            commands.link_adr(15, 15, 1 << self.sub_band - 1, 7),
            commands.link_adr(15, 15, 0xFF << 8 * half, block),
        ]

    def channels_after_join(self, cf_list: bytes) -> dict[int, int]:
        if not cf_list or cf_list[15] != 1:
            return self.channels()
        return self._chosen(int.from_bytes(cf_list[:9], "little"))

    def _chosen(self, mask: int) -> dict[int, int]:
        return {i: hz for i, hz in self.channels().items() if mask >> i & 1}

    def channels_after_mask(
        self, settings: RegionSettings, mask: int, control: int
    ) -> dict[int, int]:
        enabled = sum(1 << i for i in settings.channels)
        narrow, wide = enabled & (1 << 64) - 1, enabled >> 64
        if control < 4:
            narrow = narrow & ~(0xFFFF << 16 * control) | mask << 16 * control
        elif control == 5:
            wide = mask & 0xFF
            narrow = sum(0xFF << 8 * i for i in range(8) if mask >> i & 1)
        else:
            wide = mask & 0xFF
            narrow = {4: narrow, 6: (1 << 64) - 1, 7: 0}[control]
        return self._chosen(narrow | wide << 64)

    def adr(self, settings: RegionSettings, rate: int, power: int) -> MacCommand:
        block = (self.sub_band - 1) // 2
        mask = sum(1 << i - 16 * block for i in settings.channels if i < 64 and i // 16 == block)
        return commands.link_adr(rate, power, mask, block)


EU868 = Region()


def by_name(name: str) -> Region:
    """The region of a node's `lora_region`. Raises ValueError."""
    made = {"EU868": Region, "US915": Us915, "AS923": As923}
    if name not in made:
        raise ValueError(f"the world has no network in {name}, but in {', '.join(made)}")
    return made[name]()
