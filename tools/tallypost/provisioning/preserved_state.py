"""What a board must not lose when it is provisioned anew: numbers that only ever rise.

The boot counter stays always. The LoRaWAN MAC's target (NVS namespace `lora`: DevNonce, session,
airtime) stays while DevEUI, JoinEUI and AppKey do: a join server ignores a DevNonce that it has
seen. Before the board's target is erased, both numbers are put down in a note on this machine,
beside the name of the node whose counts are in the log, so that a cable that is pulled in between
costs none of them. A note holds no secret: of the keys only a digest, to tell them apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from tallypost.faults import ToolError
from tallypost.provisioning.identity import NAMESPACE, SEALED, LoraKeys, seal
from tallypost.provisioning.nvs_reader import Contents

LORA = "lora"
_NONCES = "nonces"  # version u8 = 1 | next DevNonce u32 | ... (lib/lorawan/persistence.py)
_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


@dataclass(frozen=True)
class PreservedState:
    """node: whose counts the log holds, "" = unknown. keys: digest of the LoRaWAN keys.

    lora: the namespace of the MAC. whole: the identity is complete, a node counts under it.
    """

    node: str = ""
    boot: int = 0
    keys: str = ""
    lora: dict[str, bytes] = field(default_factory=dict, repr=False)
    whole: bool = False

    @property
    def dev_nonce(self) -> int:
        """The next one; 0 when none was used, or it cannot be read."""
        blob = self.lora.get(_NONCES, b"")
        return int(struct.unpack_from("<I", blob, 1)[0]) if len(blob) >= 6 and blob[0] == 1 else 0


def from_nvs(contents: Contents) -> PreservedState:
    """What an NVS partition holds of it."""
    mine = contents.get(NAMESPACE, {})
    blobs = {key: value for key, value in mine.items() if isinstance(value, bytes)}
    sealed = {key: blobs[key] for key in SEALED if key in blobs}
    node = blobs.get("id", b"").decode("utf-8", "replace")
    boot = mine.get("boot", 0)
    lora = {k: v for k, v in contents.get(LORA, {}).items() if isinstance(v, bytes)}
    keys = _digest([blobs.get(key, b"") for key in _KEYS])
    whole = bool(node) and blobs.get("seal") == seal(sealed)
    return PreservedState(node, boot if isinstance(boot, int) else 0, keys, lora, whole)


def keys_digest(keys: LoraKeys | None) -> str:
    """The digest of keys that are to be written."""
    return _digest([keys.dev_eui, keys.join_eui, keys.app_key] if keys else [])


def _digest(values: list[bytes]) -> str:
    """Nothing for no keys. Of 128 random bits none can be guessed from it."""
    return hashlib.sha256(b"|".join(values)).hexdigest()[:32] if all(values) and values else ""


def merge(board: PreservedState, note: PreservedState, keys: str) -> PreservedState:
    """What goes on: of each number the higher one, the MAC's target only under the same keys."""
    lora: dict[str, bytes] = {}
    if keys and board.keys == keys:
        lora = board.lora if board.whole else _nonces(board)
    if keys and note.keys == keys and note.dev_nonce > PreservedState(lora=lora).dev_nonce:
        lora = _nonces(note)
    return PreservedState(board.node or note.node, max(board.boot, note.boot), keys, lora)


def _nonces(kept: PreservedState) -> dict[str, bytes]:
    return {_NONCES: kept.lora[_NONCES]} if _NONCES in kept.lora else {}


class Journal:
    """The note of the board with this MAC; below XDG_STATE_HOME (~/.local/state)."""

    def __init__(self, mac: str) -> None:
        base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(base).expanduser() / "tallypost" / "provision"
        self.path = folder / f"{mac.replace(':', '')}.json"

    def read(self) -> PreservedState:
        """What an interrupted call put down; nothing when none was. Raises ToolError."""
        try:
            row = json.loads(self.path.read_text())
            lora = {_NONCES: bytes.fromhex(row["nonces"])} if row["nonces"] else {}
            return PreservedState(str(row["node"]), int(row["boot"]), str(row["keys"]), lora)
        except FileNotFoundError:
            return PreservedState()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(
                f"{self.path}: not a note of an interrupted provisioning",
                "remove it: boot counter and DevNonce then start at 0",
            ) from error

    def write(self, kept: PreservedState) -> None:
        """Whole or not at all, and on the disk before the board is touched. Raises ToolError."""
        row = {"node": kept.node, "boot": kept.boot, "keys": kept.keys}
        row["nonces"] = kept.lora.get(_NONCES, b"").hex()
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "w", encoding="ascii") as file:
                json.dump(row, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError as error:
            raise ToolError(
                f"{self.path}: {error.strerror}", "set XDG_STATE_HOME to a folder of yours"
            ) from error

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
