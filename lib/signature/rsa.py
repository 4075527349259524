"""RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.2), public exponent 65537.

The whole padded block is built from the digest and compared, so there is nothing to parse: no
signature with bytes of somebody's choice between padding and digest can pass (RFC 8017, 8.2.2,
step 4). Moduli have 3072 to 4096 bits. Only `pow` on whole numbers is used.
"""

import hashlib
import json
from binascii import a2b_base64

from micropython import const

_EXPONENT = const(65537)
_MODULUS_BYTES_MIN = const(384)
_MODULUS_BYTES_MAX = const(512)
# DER of DigestInfo with SHA-256, without the digest (RFC 8017, section 9.2, note 1).
_DIGEST_INFO = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
_TITLE = "tallypost config 1"


def verify(modulus, message, signature):
    """Return whether `signature` is one of `message`. Never raises for bad input.

    modulus: bytes, big-endian, as in NVS. message: bytes. signature: text, base64.
    """
    size = len(modulus)
    if not _MODULUS_BYTES_MIN <= size <= _MODULUS_BYTES_MAX or not isinstance(signature, str):
        return False
    if len(signature) != (size + 2) // 3 * 4:
        return False
    try:
        raw = a2b_base64(signature)
    except ValueError:
        return False
    if len(raw) != size:
        return False
    n, s = int.from_bytes(modulus, "big"), int.from_bytes(raw, "big")
    if not n & 1 or s >= n:
        return False
    return pow(s, _EXPONENT, n) == int.from_bytes(_block(message, size), "big")


def _block(message, size):
    """The padded block of a message, `size` bytes (EMSA-PKCS1-v1_5)."""
    digest = hashlib.sha256(message).digest()
    fill = size - len(_DIGEST_INFO) - len(digest) - 3
    return b"\x00\x01" + b"\xff" * fill + b"\x00" + _DIGEST_INFO + digest


def canonical(node, serial, config):
    """Return the bytes that a signature of settings covers (INTEGRATE.md of the backend).

    config: dict of texts and whole numbers. Raises ValueError for other values, and for a text
    with control characters, because JSON writers differ there.
    """
    parts = []
    for key in sorted(config):
        value = config[key]
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError("config: %s cannot be signed" % key)
        if isinstance(value, str) and any(char < " " for char in value):
            raise ValueError("config: %s has a control character" % key)
        parts.append(json.dumps(key) + ":" + json.dumps(value))
    return ("%s\n%s\n%d\n{%s}" % (_TITLE, node, serial, ",".join(parts))).encode()
