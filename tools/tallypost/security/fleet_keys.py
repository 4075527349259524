"""The keys of a fleet: they sign settings that can lose a node or hand it over.

    FOLDER/fleet/N.pem          private key number N, mode 0600
    FOLDER/fleet/N.public.pem   its public part, which nodes get when they are provisioned
    FOLDER/fleet/signer         the number of the key that signs
    FOLDER/fleet/serial         the serial of the last signature

RSA with 3072 bits, exponent 65537. Two keys are valid at once: `rotate` makes the next one, and
`switch` lets it sign when all nodes have it. The signature is RSASSA-PKCS1-v1_5 with SHA-256 over

    tallypost config 1 \\n NODE \\n SERIAL \\n CONFIG

in UTF-8, without the spaces. CONFIG is JSON without spaces, with sorted keys and without escapes
that it can do without. SERIAL grows with each signature: the seconds since 2025, or one more than
the last. A node refuses a serial that is not higher than the last one, so nothing can be replayed,
and one that is more than 7 days older than its clock, so nothing can be kept for later.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.inventory.inventory import write_private
from tallypost.security.authority import write_public

VALID_MAX = 2  # a node has room for two
BITS, EXPONENT = 3072, 65537
TITLE = "tallypost config 1"
# Settings that can lose a node or hand it over (as in firmware/config/schema.py), and the lock of
# its console.
SIGNED = frozenset(
    "link mqtt_host mqtt_port mqtt_tls mqtt_root ntp_host ntp_host2 lora_region"
    " lora_certification console".split()
)
_LEAST = {"interval_min": 5, "privacy_k": 3}  # below: minutes, road users
_EPOCH = 1_735_689_600  # 2025-01-01: a serial fits into 31 bits until 2093


class FleetKeys:
    """The keys in `folder`. Raises ToolError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "fleet"

    @classmethod
    def open(cls, folder: Path) -> FleetKeys:
        """The keys of a folder. Makes the first one if there is none."""
        found = cls(folder)
        if not found.numbers():
            found.make()
        return found

    def numbers(self) -> list[int]:
        """The numbers of the valid keys, the oldest first."""
        names = [path.name.partition(".")[0] for path in self.folder.glob("*.public.pem")]
        return sorted(int(name) for name in names if name.isdecimal())[-VALID_MAX:]

    def make(self) -> int:
        """Make the first key, which signs. Returns its number."""
        if self.numbers():
            raise ToolError(
                _("{folder}: there is a key already").format(folder=self.folder),
                _("For the next one, run: tallypost keys rotate"),
            )
        self._make(1)
        write_public(self.folder / "signer", "1\n")
        return 1

    def rotate(self) -> int:
        """Make the next key, which does not sign yet. The oldest of three is no longer valid."""
        numbers, signer = self.numbers(), self.signer()
        if len(numbers) == VALID_MAX and signer == numbers[0]:
            raise ToolError(
                _("key {old} still signs, and key {new} waits").format(
                    old=numbers[0], new=numbers[1]
                ),
                _("First run: tallypost keys switch"),
            )
        self._make(numbers[-1] + 1)
        return numbers[-1] + 1

    def switch(self) -> int:
        """Let the newest key sign. Returns its number."""
        self.signer()
        newest = self.numbers()[-1]
        write_public(self.folder / "signer", f"{newest}\n")
        return newest

    def signer(self) -> int:
        """The number of the key that signs."""
        if not self.numbers():
            raise ToolError(
                _("{folder}: there is no key").format(folder=self.folder),
                _("To make one, run: tallypost keys new"),
            )
        path = self.folder / "signer"
        try:
            number = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise _damaged(path) from None
        if number not in self.numbers():
            raise _damaged(path)
        return number

    def public(self, number: int) -> rsa.RSAPublicKey:
        path = self.folder / f"{number}.public.pem"
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError):
            raise _damaged(path) from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise _damaged(path)
        return key

    def moduli(self) -> tuple[bytes, ...]:
        """What a node needs of the valid keys: the moduli, big-endian, the signer's first."""
        signer = self.signer()
        numbers = sorted(self.numbers(), key=lambda number: (number != signer, number))
        return tuple(modulus(self.public(number)) for number in numbers)

    def has_private(self, number: int) -> bool:
        return (self.folder / f"{number}.pem").exists()

    def sign(self, node: str, config: dict[str, Any]) -> dict[str, Any]:
        """The keys `serial` and `sig` for a command `config_set`. Raises ToolError."""
        # Late import: it names modules of the system, and only a signature needs it.
        from tallypost.locking import locked

        key = self._private(self.signer())
        with locked(self.folder / "serial.lock"):
            serial = self._next_serial()
            write_private(self.folder / "serial", f"{serial}\n")
        text = canonical(node, serial, config)
        signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return {"serial": serial, "sig": base64.b64encode(signature).decode()}

    def _next_serial(self) -> int:
        path = self.folder / "serial"
        try:
            last = int(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            last = 0
        except (OSError, ValueError):
            raise _damaged(path) from None
        return max(last + 1, serial_now())

    def _make(self, number: int) -> None:
        key = rsa.generate_private_key(EXPONENT, BITS)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )  # fmt: skip
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(self.folder / f"{number}.pem", private.decode())
        write_public(self.folder / f"{number}.public.pem", public.decode())

    def _private(self, number: int) -> rsa.RSAPrivateKey:
        path = self.folder / f"{number}.pem"
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError):
            raise _damaged(path) from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _damaged(path)
        return key


def keys_to_sign(config: dict[str, Any]) -> list[str]:
    """The keys of a change for which a node wants a signature."""
    low = [key for key, least in _LEAST.items() if _is_below(config.get(key), least)]
    return sorted(SIGNED & config.keys()) + low


def _is_below(value: Any, least: int) -> bool:
    return isinstance(value, int) and value < least


def serial_now() -> int:
    """The serial of this second. A node that is provisioned now refuses all earlier ones."""
    return max(1, int(time.time()) - _EPOCH)


def modulus(key: rsa.RSAPublicKey) -> bytes:
    return key.public_numbers().n.to_bytes((key.key_size + 7) // 8, "big")


def canonical(node: str, serial: int, config: dict[str, Any]) -> bytes:
    """The bytes that are signed. Raises ToolError for values that a node would write otherwise."""
    for key, value in config.items():
        is_text = isinstance(value, str)
        if isinstance(value, bool) or not (is_text or isinstance(value, int)):
            raise _unsignable(key)
        # A node cannot join the two escaped halves of a character beyond U+FFFF.
        if is_text and any(not " " <= char <= "\uffff" for char in value):
            raise _unsignable(key)
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{TITLE}\n{node}\n{serial}\n{text}".encode()


def _unsignable(key: str) -> ToolError:
    return ToolError(
        _("{key}: this value cannot be signed").format(key=key),
        _("Use numbers and texts without control characters and emoji."),
    )


def _damaged(path: Path) -> ToolError:
    return ToolError(
        _("{path}: the key is missing or damaged").format(path=path),
        _("Restore the folder from a backup. Without the key, provision the nodes again."),
    )
