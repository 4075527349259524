"""State that a board must keep when it is provisioned again: numbers that only rise.

The boot counter always stays. The memory of the LoRaWAN MAC (NVS namespace `lora`: DevNonce,
session, airtime) stays as long as DevEUI, JoinEUI and AppKey do, because a join server ignores a
DevNonce that it has seen. Before the NVS is erased, both numbers go into a journal on this
machine, with the name of the node that owns the counts in the log. So a cable pulled in between
loses none of them. The journal holds no secret: of the keys it has only a digest, to tell them
apart.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.provisioning.identity import NAMESPACE, SEALED, LoraKeys, seal
from tallypost.nvs.nvs_reader import Contents

LORA = "lora"
_NONCES = "nonces"  # version u8 = 1 | next DevNonce u32 | ... (lib/lorawan/persistence.py)
_KEYS = ("lora_dev_eui", "lora_join_eui", "lora_app_key")


@dataclass(frozen=True)
class PreservedState:
    """node: owner of the counts in the log, "" if unknown. keys: digest of the LoRaWAN keys.

    lora: the namespace of the MAC. is_complete: the identity is valid, so a node counts under it.
    """

    node: str = ""
    boot: int = 0
    keys: str = ""
    lora: dict[str, bytes] = field(default_factory=dict, repr=False)
    is_complete: bool = False

    @property
    def dev_nonce(self) -> int:
        """The next DevNonce. 0 if none was used or it cannot be read."""
        blob = self.lora.get(_NONCES, b"")
        return int(struct.unpack_from("<I", blob, 1)[0]) if len(blob) >= 6 and blob[0] == 1 else 0


def from_nvs(contents: Contents) -> PreservedState:
    """The state in an NVS partition."""
    mine = contents.get(NAMESPACE, {})
    blobs = {key: value for key, value in mine.items() if isinstance(value, bytes)}
    sealed = {key: blobs[key] for key in SEALED if key in blobs}
    node = blobs.get("id", b"").decode("utf-8", "replace")
    boot = mine.get("boot", 0)
    lora = {k: v for k, v in contents.get(LORA, {}).items() if isinstance(v, bytes)}
    keys = _digest([blobs.get(key, b"") for key in _KEYS])
    is_complete = bool(node) and blobs.get("seal") == seal(sealed)
    return PreservedState(node, boot if isinstance(boot, int) else 0, keys, lora, is_complete)


def keys_digest(keys: LoraKeys | None) -> str:
    """The digest of keys that are to be written."""
    return _digest([keys.dev_eui, keys.join_eui, keys.app_key] if keys else [])


def _digest(values: list[bytes]) -> str:
    """ "" without keys. The keys have 128 random bits, so they cannot be guessed from it."""
    return hashlib.sha256(b"|".join(values)).hexdigest()[:32] if all(values) and values else ""


def merge(board: PreservedState, journal: PreservedState, keys: str) -> PreservedState:
    """The state to write: the higher one of each number, and the memory of the MAC only if the
    keys are the same."""
    lora: dict[str, bytes] = {}
    if keys and board.keys == keys:
        lora = board.lora if board.is_complete else _nonces(board)
    if keys and journal.keys == keys and journal.dev_nonce > PreservedState(lora=lora).dev_nonce:
        lora = _nonces(journal)
    return PreservedState(board.node or journal.node, max(board.boot, journal.boot), keys, lora)


def _nonces(state: PreservedState) -> dict[str, bytes]:
    return {_NONCES: state.lora[_NONCES]} if _NONCES in state.lora else {}


class Journal:
    """The journal of the board with this MAC, in XDG_STATE_HOME (~/.local/state)."""

    def __init__(self, mac: str) -> None:
        base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(base).expanduser() / "tallypost" / "provision"
        self.path = folder / f"{mac.replace(':', '')}.json"

    def read(self) -> PreservedState:
        """The state left by an interrupted call, empty if there is none. Raises ToolError."""
        try:
            row = json.loads(self.path.read_text(encoding="utf-8"))
            lora = {_NONCES: bytes.fromhex(row["nonces"])} if row["nonces"] else {}
            return PreservedState(str(row["node"]), int(row["boot"]), str(row["keys"]), lora)
        except FileNotFoundError:
            return PreservedState()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ToolError(
                _("{path}: the journal of an interrupted provisioning is damaged").format(
                    path=self.path
                ),
                _("Delete it. Boot counter and DevNonce of the board then start at 0."),
            ) from error

    def write(self, state: PreservedState) -> None:
        """Write the state to the disk before the board is changed. Raises ToolError."""
        row = {"node": state.node, "boot": state.boot, "keys": state.keys}
        row["nonces"] = state.lora.get(_NONCES, b"").hex()
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
                f"{self.path}: {os_reason(error)}",
                _("Set XDG_STATE_HOME to a folder that you can write to."),
            ) from error

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
