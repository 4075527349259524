"""Checks the messages of nodes before anything of them is stored or shown.

The limits come first, then the JSON, then the schema of the topic. Each step is bounded: its work
grows with the size of the message at most. A value that is well formed but cannot be true is a
doubt.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator as Validator

from tallypost.backend.stores.database import Body, rfc3339

PAYLOAD_MAX_BYTES = 64 * 1024  # the messages of a node have 4 KB
DEPTH_MAX = 32  # levels; an interval has 8, and json.dumps fails earlier than json.loads
LIST_ITEMS_MAX = 128  # a histogram has 32 bins, a batch 64 records
OBJECT_KEYS_MAX = 128  # a configuration has 40
NUMBER_MAX = 2**63 - 1  # of whole numbers in SQLite
RECORD_SPACING_MIN_S = 10  # a node makes at most one record in this time, in the long run
SEQ_MAX_MIN = 1_000_000  # the clock of this computer may be wrong, so this many are always allowed
START_AHEAD_MAX_S = 86_400
PASSAGES_MAX_PER_S = 10  # in one direction; a detector that reports more is faulty
NODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
SUFFIXES = ("counts", "event", "status", "health", "config", "reply")
PASSAGES_BURST = 100  # beside that, for intervals of a few seconds
_EPOCH = 1_735_689_600.0  # 2025-01-01: no log is older
_START_MIN = "2020-01-01T00:00:00Z"
_SCHEMAS = Path(__file__).resolve().parent / "schemas"
_SHOWN_CHARS = 200  # of an error
_DRAFT_4 = "http://json-schema.org/draft-04/schema#"
_INTEGER = {"$schema": _DRAFT_4, "id": "urn:tallypost:integer", "type": "integer"}
_COUNT = itemgetter(1)  # of a bin of a histogram
_HEAD_COLONS = 5  # v, node, log, bin_kmh, recs


class InvalidMessage(ValueError):
    """A message that cannot be stored. The text is the reason, and is stored in English."""


def parse(payload: bytes) -> Body:
    """The JSON object of a message. Raises InvalidMessage."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise InvalidMessage(f"{len(payload)} bytes, at most {PAYLOAD_MAX_BYTES}")
    try:
        body = json.loads(
            payload, parse_constant=_no_constant, object_pairs_hook=_object_without_duplicates
        )
        _check_values(body)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"not JSON: {_short(str(error))}") from error
    if not isinstance(body, dict):
        raise InvalidMessage("not a JSON object")
    return body


def _no_constant(name: str) -> None:
    """Reject NaN and Infinity: Python reads them, but other readers of the database do not."""
    raise ValueError(f"{name} is no number")


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> Body:
    """Reject a key that comes twice: readers differ in the value that they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice in an object")
    return found


def _check_values(body: Any) -> None:
    """Raises ValueError for a value that cannot be written as JSON in UTF-8, or is too large."""
    level = [body]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for value in level:
            inner += _parts(value)
        level = inner
    if level:
        raise ValueError(f"more than {DEPTH_MAX} levels deep")


def _parts(value: Any) -> list[Any]:
    """Check a value. Returns the values in it. Raises ValueError."""
    if isinstance(value, dict):
        if len(value) > OBJECT_KEYS_MAX:
            raise ValueError(f"an object of {len(value)} keys, at most {OBJECT_KEYS_MAX}")
        return [*value.keys(), *value.values()]
    if isinstance(value, list):
        if len(value) > LIST_ITEMS_MAX:
            raise ValueError(f"a list of {len(value)} items, at most {LIST_ITEMS_MAX}")
        return value
    if isinstance(value, str):
        value.encode()  # half a surrogate pair: UnicodeEncodeError is a ValueError
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    elif isinstance(value, int) and abs(value) > NUMBER_MAX:
        raise ValueError("a number is too large")
    return []


# --- schemas


def check(name: str, body: Any) -> None:
    """Check a message, or a record as `interval`. Raises InvalidMessage at the first error."""
    for error in _schema(name).iter_errors(body):
        place = "".join(f"[{part!r}]" if isinstance(part, int) else f".{part}"
                        for part in error.instance_path)  # fmt: skip
        raise InvalidMessage(f"${place}: {_short(error.message)}")


@cache
def _schema(name: str) -> Validator:
    """The schema of a topic. The one of `counts` leaves out the records: see `interval`."""
    schema = _read_schema("counts" if name == "interval" else name)
    if name == "interval":
        schema = {"$defs": schema["$defs"], "$ref": "#/$defs/interval"}
    elif name == "counts":
        del schema["properties"]["recs"]["items"]
    return Validator(_with_integers(schema, is_closed=False))


def _read_schema(name: str) -> Body:
    schema: Body = json.loads((_SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def _with_integers(schema: Body, is_closed: bool) -> Body:
    """A schema in which 2.0 is no integer, as in SQLite and in Python.

    In JSON Schema 2.0 is an integer since draft 6. So the type comes from draft 4. is_closed: keys
    that the schema does not name are not allowed.
    """
    found: Body = _converted(schema, is_closed)
    found.setdefault("$defs", {})["draft4-integer"] = _INTEGER
    return found


def _converted(schema: Any, is_closed: bool) -> Any:
    if isinstance(schema, list):
        return [_converted(item, is_closed) for item in schema]
    if isinstance(schema, str):
        return schema.replace("$(?!\\n)", "$")  # here `$` is the end of the text, and faster
    if not isinstance(schema, dict):
        return schema
    found = {key: _converted(value, is_closed) for key, value in schema.items()}
    kinds = found.get("type")
    if kinds == "integer":
        found["$ref"] = _INTEGER["id"]
        del found["type"]
    elif isinstance(kinds, list) and "integer" in kinds:
        del found["type"]
        others = {"type": [kind for kind in kinds if kind != "integer"]}
        found["anyOf"] = [{"$ref": _INTEGER["id"]}, others]
    if is_closed and kinds == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


# --- the fast way


@dataclass(slots=True)
class Counts:
    """A message `counts` that is checked as a whole. texts: its records as JSON without blanks."""

    body: Body
    texts: list[str]


def read_counts(payload: bytes) -> Counts | None:
    """A message `counts` with no keys but those of its schema: nearly every one. None: take it
    apart with `parse` and `check`, which say what is wrong, or that it only has other keys.

    Where every key has a schema, every value has a limit, and the checks of `parse` have nothing
    left to find but a key that comes twice: then the text has more colons than its values.
    """
    if len(payload) > PAYLOAD_MAX_BYTES or b"\\" in payload:
        return None
    try:
        body = orjson.loads(payload)
    except ValueError:
        return None
    if not _closed_counts().is_valid(body):
        return None
    records = body["recs"]
    texts = [orjson.dumps(record) for record in records]
    colons = sum(text.count(b":") for text in texts) + _HEAD_COLONS
    if payload.count(b":") != colons:
        return None
    return Counts(body, [text.decode() for text in texts])


@cache
def _closed_counts() -> Validator:
    return Validator(_with_integers(_read_schema("counts"), is_closed=True))


def check_sender(node: str, body: Body) -> None:
    """Raises InvalidMessage if the message names another node than its topic."""
    if body.get("node", node) != node:
        raise InvalidMessage(f"node: '{_short(str(body['node']))}' in the topic of '{node}'")


# --- plausible values


def check_number(seq: int, utc: float) -> None:
    """Raises InvalidMessage for a number that no node can have reached at `utc`."""
    highest = max(SEQ_MAX_MIN, int((utc - _EPOCH) / RECORD_SPACING_MIN_S))
    if seq > highest:
        raise InvalidMessage(f"number {seq}: no node has more than {highest} records yet")


def check_values(record: Body, utc: float) -> None:
    """Check the values of a record that fits its schema. Raises InvalidMessage."""
    check_number(record["seq"], utc)
    if record["cov"] > record["len"]:
        raise InvalidMessage(f"seq {record['seq']}: cov {record['cov']} > len {record['len']}")
    if record["start"] is not None:
        try:
            if datetime.fromisoformat(record["start"]).hour != int(record["start"][11:13]):
                raise ValueError("24 h")  # Python 3.14 takes it
        except ValueError as error:
            raise InvalidMessage(f"$.start: '{record['start']}' is no time") from error


def is_dated(record: Body, utc: float) -> bool:
    """Whether the start of an interval can be true. True if it has none."""
    if record.get("start") is None:
        return True
    return bool(_START_MIN <= record["start"] <= _start_max(int(utc)))


@lru_cache(maxsize=16)
def _start_max(utc: int) -> str:
    return rfc3339(max(utc, _EPOCH) + START_AHEAD_MAX_S)


def doubts(record: Body, *, is_dated: bool) -> list[str]:
    """Reasons to doubt a well-formed interval. is_dated: whether its start can be true."""
    found = []
    if not is_dated:
        found.append(f"start {record['start']} cannot be true, stored without a time")
    n_max = PASSAGES_MAX_PER_S * record["len"] + PASSAGES_BURST
    for direction, classes in record["counts"].items():
        n = sum(classes.values())
        if n > n_max:
            found.append(f"{n} passages {direction} in {record['len']} s")
        speed = record["speed"][direction]
        if sum(map(_COUNT, speed["hist"])) != speed["n"]:
            found.append(f"the histogram {direction} does not hold {speed['n']} speeds")
    return found


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
