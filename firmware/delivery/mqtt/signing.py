"""Signs records with the key of the node. The backend refuses those of anybody else.

A record ends with `"mac"`: the first 16 bytes of HMAC-SHA256 (RFC 2104) over node, log and the
text of the record, with the key that the node got at provisioning (NVS key `mac_key`).
"""

import hashlib
from binascii import hexlify

from micropython import const

_BLOCK = const(64)  # bytes of a block of SHA-256
_MAC_BYTES = const(16)


class RecordSigner:
    """key: of the node, 32 bytes. With a damaged one of another length the MACs are wrong."""

    def __init__(self, key, node, log_id):
        self._head = ("%s\n%08x\n" % (node, log_id)).encode()
        padded = (key + bytes(_BLOCK))[:_BLOCK]
        self._inner = bytes(b ^ 0x36 for b in padded)
        self._outer = bytes(b ^ 0x5C for b in padded)

    def sign(self, frame, start):
        """Give the JSON object from `start` to the end of the frame its MAC. Raises FrameFull."""
        frame.pos -= 1  # the brace follows the MAC
        inner = hashlib.sha256(self._inner)
        inner.update(self._head)
        inner.update(frame.written(start))
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        frame.write(b',"mac":"')
        frame.write(hexlify(outer.digest()[:_MAC_BYTES]))
        frame.write(b'"}')
