"""AES-128 as LoRaWAN 1.0.x uses it, on one primitive: the encryption of a block (ECB).

    MIC          first 4 bytes of AES-CMAC (RFC 4493) over the frame; for data frames over
                 B0 | frame (TS001-1.0.4, 4.4)
    B0           49 | 0 0 0 0 | dir u8 | DevAddr u32 | FCnt u32 | 0 | length u8
    FRMPayload   xor AES(A1), AES(A2), ...  (4.3.3)
    Ai           01 | 0 0 0 0 | dir u8 | DevAddr u32 | FCnt u32 | 0 | i u8
    join-accept  the network *decrypts* it, so that a device only needs encryption (6.2.6)
    NwkSKey      AES(AppKey, 01 | JoinNonce 3 | NetID 3 | DevNonce 2 | 0 * 7); AppSKey: 02

Numbers are little endian. dir is 0 for uplinks and 1 for downlinks. Nothing here is constant time.
To measure the current of a node an attacker needs physical access to it.
"""

import struct

from cryptolib import aes
from micropython import const

UP, DOWN = 0, 1
_ECB = const(1)
_BLOCK = const(16)


class Key:
    """An AES-128 key with its scratch blocks. key: 16 bytes. Raises ValueError."""

    def __init__(self, key):
        if not isinstance(key, (bytes, bytearray)) or len(key) != _BLOCK:
            raise ValueError("a key has 16 bytes")
        self._aes = aes(key, _ECB)
        self._x = bytearray(_BLOCK)  # CMAC state and result of `cmac()`
        self._pad = bytearray(_BLOCK)  # subkey, or block of the key stream

    def encrypt(self, block):
        """Encrypt the 16 bytes of `block` in place."""
        self._aes.encrypt(block, block)

    def cmac(self, data, has_block=False):
        """AES-CMAC of `data`: 16 bytes in a buffer that the next call overwrites.

        has_block: the state already holds a first block, written by `mic()`.
        """
        x, size = self._x, len(data)
        if not has_block:
            _clear(x)
        last = (max(size, 1) - 1) // _BLOCK * _BLOCK
        for at in range(0, last, _BLOCK):
            for i in range(_BLOCK):
                x[i] ^= data[at + i]
            self.encrypt(x)
        self._subkey(2 if size - last < _BLOCK else 1)
        pad = self._pad
        for i in range(size - last):
            x[i] ^= data[last + i]
        if size - last < _BLOCK:
            x[size - last] ^= 0x80
        for i in range(_BLOCK):
            x[i] ^= pad[i]
        self.encrypt(x)
        return x

    def _subkey(self, doublings):
        """Compute K1 or K2 (RFC 4493, 2.3): AES(0), doubled once or twice in GF(2^128)."""
        pad = self._pad
        _clear(pad)
        self.encrypt(pad)
        for _ in range(doublings):
            carry = 0
            for i in range(_BLOCK - 1, -1, -1):
                value = pad[i] << 1 | carry
                pad[i] = value & 0xFF
                carry = value >> 8
            if carry:
                pad[_BLOCK - 1] ^= 0x87

    def mic(self, frame, addr, fcnt, direction):
        """Integrity code of a data frame, as a number. frame: all bytes before the code."""
        struct.pack_into("<BIBIIBB", self._x, 0, 0x49, 0, direction, addr, fcnt, 0, len(frame))
        self.encrypt(self._x)
        return _first(self.cmac(frame, True))

    def join_mic(self, frame):
        """Integrity code of a Join-Request or a decrypted Join-Accept, as a number."""
        return _first(self.cmac(frame))

    def crypt(self, payload, addr, fcnt, direction):
        """Encrypt or decrypt FRMPayload in place. payload: a bytearray or a memoryview."""
        pad = self._pad
        for at in range(0, len(payload), _BLOCK):
            number = at // _BLOCK + 1
            struct.pack_into("<BIBIIBB", pad, 0, 1, 0, direction, addr, fcnt, 0, number)
            self.encrypt(pad)
            for i in range(min(_BLOCK, len(payload) - at)):
                payload[at + i] ^= pad[i]

    def session_key(self, kind, nonces):
        """A session key, 16 bytes. kind: 1 = NwkSKey, 2 = AppSKey.

        nonces: JoinNonce | NetID | DevNonce, the 8 bytes as they were on air.
        """
        block = bytearray(_BLOCK)
        block[0] = kind
        block[1:9] = nonces
        self.encrypt(block)
        return bytes(block)


def _clear(block):
    for i in range(_BLOCK):
        block[i] = 0


def _first(code):
    return struct.unpack_from("<I", code)[0]
