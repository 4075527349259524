"""LoRaWAN 1.0.4 frames from the network's side: uplinks are parsed, downlinks are built.

TS001-1.0.4, sections 4 and 6.2, written from the specification for the network's side, on the AES
of the `cryptography` package. EUIs are numbers here, printed most significant digit first.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

JOIN_REQUEST, JOIN_ACCEPT = 0, 1
UNCONFIRMED_UP, UNCONFIRMED_DOWN, CONFIRMED_UP, CONFIRMED_DOWN = 2, 3, 4, 5


class FrameError(ValueError):
    """A frame that does not follow the specification. The text says why."""


@dataclass(frozen=True)
class Keys:
    """Session keys of a device."""

    nwk: bytes
    app: bytes


@dataclass(frozen=True)
class JoinRequest:
    join_eui: int
    dev_eui: int
    dev_nonce: int
    raw: bytes

    def authentic(self, app_key: bytes) -> bool:
        return cmac(app_key, self.raw[:-4]) == self.raw[-4:]


@dataclass(frozen=True)
class DataUp:
    """A data frame of a device. `payload` is still encrypted."""

    confirmed: bool
    addr: int
    adr: bool
    adr_ack_req: bool
    ack: bool
    fcnt16: int
    options: bytes
    port: int | None
    payload: bytes
    raw: bytes

    def authentic(self, keys: Keys, fcnt: int) -> bool:
        return data_mic(keys, self.addr, fcnt, 0, self.raw[:-4]) == self.raw[-4:]

    def text(self, keys: Keys, fcnt: int) -> bytes:
        key = keys.nwk if self.port == 0 else keys.app
        return stream(key, self.addr, fcnt, 0, self.payload)


@dataclass(frozen=True)
class DataDown:
    """A data frame for a device, in clear."""

    addr: int
    fcnt: int
    port: int | None = None
    payload: bytes = b""
    options: bytes = b""
    confirmed: bool = False
    ack: bool = False
    pending: bool = False
    adr: bool = True

    def encode(self, keys: Keys) -> bytes:
        kind = CONFIRMED_DOWN if self.confirmed else UNCONFIRMED_DOWN
        control = self.adr << 7 | self.ack << 5 | self.pending << 4 | len(self.options)
        frame = bytes([kind << 5]) + self.addr.to_bytes(4, "little") + bytes([control])
        frame += (self.fcnt & 0xFFFF).to_bytes(2, "little") + self.options
        if self.port is not None:
            key = keys.nwk if self.port == 0 else keys.app
            text = stream(key, self.addr, self.fcnt, 1, self.payload)
            frame += bytes([self.port]) + text
        return frame + data_mic(keys, self.addr, self.fcnt, 1, frame)


def cmac(key: bytes, data: bytes) -> bytes:
    """The first four bytes of AES-CMAC."""
    code = CMAC(algorithms.AES(key))
    code.update(data)
    return code.finalize()[:4]


def encrypt(key: bytes, blocks: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(blocks) + encryptor.finalize()


def decrypt(key: bytes, blocks: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return decryptor.update(blocks) + decryptor.finalize()


def _block(kind: int, addr: int, fcnt: int, direction: int, last: int) -> bytes:
    head = bytes([kind, 0, 0, 0, 0, direction])
    return head + addr.to_bytes(4, "little") + fcnt.to_bytes(4, "little") + bytes([0, last])


def data_mic(keys: Keys, addr: int, fcnt: int, direction: int, frame: bytes) -> bytes:
    return cmac(keys.nwk, _block(0x49, addr, fcnt, direction, len(frame)) + frame)


def stream(key: bytes, addr: int, fcnt: int, direction: int, data: bytes) -> bytes:
    """FRMPayload, encrypted or decrypted."""
    count = -(-len(data) // 16)
    blocks = b"".join(_block(1, addr, fcnt, direction, i + 1) for i in range(count))
    pad = encrypt(key, blocks)
    return bytes(a ^ b for a, b in zip(data, pad))


def parse(raw: bytes) -> JoinRequest | DataUp:
    """An uplink. Raises FrameError."""
    if not raw:
        raise FrameError("empty")
    kind, rfu, major = raw[0] >> 5, raw[0] >> 2 & 7, raw[0] & 3
    if rfu or major:
        raise FrameError(f"MHDR {raw[0]:02x}")
    if kind == JOIN_REQUEST:
        if len(raw) != 23:
            raise FrameError(f"Join-Request of {len(raw)} bytes")
        join_eui, dev_eui = (int.from_bytes(raw[i : i + 8], "little") for i in (1, 9))
        return JoinRequest(join_eui, dev_eui, int.from_bytes(raw[17:19], "little"), raw)
    if kind not in (UNCONFIRMED_UP, CONFIRMED_UP):
        raise FrameError(f"type {kind} is no uplink")
    return _data(raw, kind == CONFIRMED_UP)


def _data(raw: bytes, confirmed: bool) -> DataUp:
    if len(raw) < 12:
        raise FrameError(f"data frame of {len(raw)} bytes")
    control = raw[5]
    if control & 0x10:
        raise FrameError("class B")
    start = 8 + (control & 15)
    if start > len(raw) - 4:
        raise FrameError("options beyond the end")
    port = raw[start] if start < len(raw) - 4 else None
    if port == 0 and control & 15:
        raise FrameError("commands in both places")
    return DataUp(
        confirmed,
        int.from_bytes(raw[1:5], "little"),
        bool(control & 0x80),
        bool(control & 0x40),
        bool(control & 0x20),
        int.from_bytes(raw[6:8], "little"),
        raw[8:start],
        port,
        raw[start + 1 : -4],
        raw,
    )


@dataclass(frozen=True)
class JoinAccept:
    """The grant of a join server. nonce, net_id: 24 bits. settings: RX1DROffset << 4 | RX2 DR."""

    nonce: int
    net_id: int
    addr: int
    settings: int = 0
    delay: int = 1
    cf_list: bytes = b""

    def encode(self, app_key: bytes) -> bytes:
        body = self.nonce.to_bytes(3, "little") + self.net_id.to_bytes(3, "little")
        body += self.addr.to_bytes(4, "little") + bytes([self.settings, self.delay])
        body += self.cf_list
        return b"\x20" + decrypt(app_key, body + cmac(app_key, b"\x20" + body))

    def keys(self, app_key: bytes, dev_nonce: int) -> Keys:
        rest = self.nonce.to_bytes(3, "little") + self.net_id.to_bytes(3, "little")
        rest += dev_nonce.to_bytes(2, "little") + bytes(7)
        return Keys(encrypt(app_key, b"\1" + rest), encrypt(app_key, b"\2" + rest))
