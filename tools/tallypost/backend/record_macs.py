"""Who counted a record: the HMAC that a node adds to it (INTEGRATE.md, "Signed records").

    mac = HMAC-SHA256(key, node LF log LF text)[:16], hexadecimal

`text` is the record as the node wrote it, up to `,"mac":`. So the database keeps a signed record
as the text that came, and `tallypost audit` can check it again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

SIGNED, UNSIGNED, WRONG = "signed", "unsigned", "wrong"
KEY_BYTES, MAC_BYTES = 32, 16
_TAIL = re.compile(r',"mac":"([0-9a-f]{32})"\}\Z')
_RECS = re.compile(r'"recs"\s*:\s*\[')


def mac_of(key: bytes, node: str, log: str, text: str) -> str:
    """The MAC of a record. text: up to the comma before `"mac"`."""
    message = f"{node}\n{log}\n{text}".encode()
    return hmac.new(key, message, hashlib.sha256).digest()[:MAC_BYTES].hex()


def texts(payload: bytes, records: list[Any]) -> list[str]:
    """The text of each record of a `counts` message, as the node wrote it.

    records: the list `recs` of the message. Its place is found by these values, because the word
    may stand in another text of the message as well. Raises ValueError.
    """
    text = payload.decode()
    for match in _RECS.finditer(text):
        found = _items(text, match.end(), records)
        if found is not None:
            return found
    raise ValueError("the records cannot be found in the text")


def _items(text: str, at: int, records: list[Any]) -> list[str] | None:
    """The texts of these items of a list, None if other values stand there."""
    decoder, found = json.JSONDecoder(), []
    for record in records:
        while text[at : at + 1] in (" ", "\t", "\r", "\n", ","):
            at += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            return None
        if value != record:
            return None
        found.append(text[at:end])
        at = end
    return found


@dataclass(frozen=True)
class MacKeys:
    """keys: by node. is_required: refuse records of these nodes that are not signed."""

    keys: dict[str, bytes] = field(default_factory=dict, repr=False)
    is_required: bool = False

    def texts(self, node: str, payload: bytes, records: list[Any]) -> list[str]:
        """The texts of the records, empty ones for a node without a key. Raises ValueError."""
        return texts(payload, records) if node in self.keys else [""] * len(records)

    def state(self, node: str, log: str, text: str) -> str:
        """SIGNED, UNSIGNED or WRONG. A node without a key here is UNSIGNED."""
        key = self.keys.get(node)
        found = _TAIL.search(text)
        if key is None or (found is None and '"mac"' not in text):
            return UNSIGNED
        if found is None:
            return WRONG
        mac = mac_of(key, node, log, text[: found.start()])
        return SIGNED if hmac.compare_digest(mac, found[1]) else WRONG

    def refusal(self, node: str, state: str) -> str:
        """Why a record in this state is refused, "" if it is not."""
        if state == WRONG:
            return "the MAC is wrong: the node did not write this record"
        if state == UNSIGNED and self.is_required and node in self.keys:
            return "no MAC, and this node has a key"
        return ""


def read_keys(path: Path | None) -> dict[str, bytes]:
    """The keys of `mac_keys.json`, none without a file. Raises ToolError and shows no key."""
    if path is None:
        return {}
    advice = _("Name the mac_keys.json of tallypost provision --out.")
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
        keys = {str(node): bytes.fromhex(text) for node, text in table.items()}
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", advice) from error
    except (ValueError, TypeError, AttributeError):
        raise ToolError(_("{path}: no table of keys").format(path=path), advice) from None
    if any(len(key) != KEY_BYTES for key in keys.values()):
        raise ToolError(_("{path}: a key has the wrong length").format(path=path), advice)
    return keys
