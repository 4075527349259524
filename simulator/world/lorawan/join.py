"""A join server: which devices may join, and which nonces were used (TS001-1.0.4, 6.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.world.lorawan.codec import JoinAccept, JoinRequest, Keys

NET_ID = 0x13


@dataclass
class JoinSettings:
    """The settings in a Join-Accept. delay is in seconds (0 means 1)."""

    rx1_offset: int = 0
    rx2_rate: int = 0
    delay: int = 1
    cf_list: bytes = b""


@dataclass
class Device:
    dev_eui: int
    join_eui: int
    app_key: bytes
    settings: JoinSettings = field(default_factory=JoinSettings)
    nonces: list[int] = field(default_factory=list)  # DevNonces that were granted, in order
    rising: bool = True  # LoRaWAN 1.0.4. Before it a DevNonce must only be new.


@dataclass(frozen=True)
class Grant:
    device: Device
    addr: int
    keys: Keys
    frame: bytes


class JoinServer:
    """refused: why requests were not answered."""

    def __init__(self) -> None:
        self.devices: dict[int, Device] = {}
        self.refused: list[str] = []
        self._join_nonce = 0
        self._joins = 0

    def add(self, device: Device) -> Device:
        self.devices[device.dev_eui] = device
        return device

    def handle(self, request: JoinRequest) -> Grant | None:
        device = self.devices.get(request.dev_eui)
        reason = self._refusal(device, request)
        if reason or device is None:
            self.refused.append(reason)
            return None
        device.nonces.append(request.dev_nonce)
        self._join_nonce += 1
        self._joins += 1
        settings = device.settings
        accept = JoinAccept(
            self._join_nonce,
            NET_ID,
            0x26_00_00_00 | self._joins,
            settings.rx1_offset << 4 | settings.rx2_rate,
            settings.delay,
            settings.cf_list,
        )
        keys = accept.keys(device.app_key, request.dev_nonce)
        return Grant(device, accept.addr, keys, accept.encode(device.app_key))

    def _refusal(self, device: Device | None, request: JoinRequest) -> str:
        if device is None or device.join_eui != request.join_eui:
            return "unknown"
        if not request.authentic(device.app_key):
            return "mic"
        if request.dev_nonce in device.nonces:
            return "nonce"
        if device.rising and device.nonces and request.dev_nonce <= device.nonces[-1]:
            return "nonce"
        return ""


def cf_list(*freqs_hz: int) -> bytes:
    """CFList type 0: five frequencies, the rest unused."""
    padded = [*freqs_hz, 0, 0, 0, 0, 0][:5]
    return b"".join((freq // 100).to_bytes(3, "little") for freq in padded) + b"\0"


def cf_mask(mask: int) -> bytes:
    """CFList type 1: which of 72 channels are enabled, in five fields of 16 bits."""
    return mask.to_bytes(10, "little") + bytes(5) + b"\1"
