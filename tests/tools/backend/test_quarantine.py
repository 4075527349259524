"""Messages that do not match the schemas are kept with the reason and never confirmed."""

from __future__ import annotations

import copy
import json
import sqlite3
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.support.nodes.reports import (
    LOG,
    ROOT,
    Body,
    counts,
    event,
    gone,
    interval,
    real_counts,
    tally,
)
from tests.tools.backend.test_collector import Backend, ack, backend

from tallypost.backend.limits import KEPT_BYTES_MAX

__all__ = ("backend",)
few = settings(
    max_examples=60, derandomize=True, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@cache
def schema(name: str) -> Draft202012Validator:
    path = ROOT / "tools" / "tallypost" / "backend" / "schemas" / f"{name}.json"
    validator = Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    return validator


def held(backend: Backend) -> list[tuple[bytes, str]]:
    with sqlite3.connect(backend.path) as db:
        return db.execute("SELECT payload, reason FROM quarantine ORDER BY rowid").fetchall()


NOT_JSON = (b"", b"{", b"nonsense", b"\xff\xfe\xfd", b"[]", b"null", b"3", b'"x"', b"[" * 100_00)


@pytest.mark.parametrize("payload", NOT_JSON, ids=range(len(NOT_JSON)))
@pytest.mark.parametrize("suffix", ("counts", "event", "status"))
def test_a_payload_without_a_json_object_is_kept_with_the_reason(
    backend: Backend, payload: bytes, suffix: str
) -> None:
    assert backend.send(payload, suffix) == []
    assert backend.news == [("quarantine", "n1")]
    [(kept, reason)] = held(backend)
    assert kept == payload[:KEPT_BYTES_MAX]
    assert reason.startswith(("not JSON", "not a JSON object"))
    assert backend.send(counts(interval(1))) == [ack(1)]


WRONG: tuple[tuple[Body, str], ...] = (
    ({"v": 2}, "$.v"),
    ({"v": "1"}, "$.v"),
    ({"node": "n2"}, "node: 'n2' in the topic of 'n1'"),
    ({"node": "N 1"}, "$.node"),
    ({"log": "0BADCAFE"}, "$.log"),
    ({"log": "123"}, "$.log"),
    ({"log": 7}, "$.log"),
    ({"bin_kmh": 0}, "$.bin_kmh"),
    ({"recs": []}, "$.recs"),
    ({"recs": {}}, "$.recs"),
    ({"recs": [interval(1)] * 65}, "$.recs"),
)
WRONG_RECORD: tuple[Body, ...] = (
    {"seq": 0}, {"seq": -1}, {"seq": "1"}, {"seq": None}, {"seq": 1.5}, {"seq": True},
    {"seq": 1 << 32}, {"seq": 2.0}, {"seq": 1e300}, {"len": 65536}, {"len": -1}, {"cov": 1e9},
    {"cov": 901}, {"start": "yesterday"}, {"start": 0}, {"start": "2026-06-01T00:00:00+02:00"},
    {"why": "boot"}, {"why": ["boot", "boot"]}, {"why": [1]}, {"counts": {}}, {"counts": None},
    {"counts": tally(-1)}, {"counts": tally(1 << 16)}, {"total": tally(1 << 30)},
    {"counts": tally() | {"up": {}}}, {"boot": 65536}, {"uptime": -1}, {"det": "fine"},
    {"time": {"src": "sun", "age": 1}}, {"time": {"src": "ntp"}}, {"cfg": "x"}, {"mv": "3300"},
    {"speed": {"forward": {}, "backward": {}}},
)  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), WRONG, ids=[str(w[0])[:40] for w in WRONG])
def test_a_wrong_message_is_kept_with_the_place_of_the_error(
    backend: Backend, change: Body, reason: str
) -> None:
    payload = counts(interval(1), **change)
    assert backend.send(payload) == [] and backend.numbers("records") == [0]
    [(kept, why)] = held(backend)
    assert kept == payload[:KEPT_BYTES_MAX] and reason in why


@pytest.mark.parametrize("change", WRONG_RECORD, ids=lambda change: str(change)[:40])
def test_a_wrong_record_is_kept_alone_and_its_neighbours_are_stored(
    backend: Backend, change: Body
) -> None:
    wrong = interval(2) | change
    assert backend.send(counts(interval(1), wrong, interval(3)))[:1] == [ack(1)]
    assert backend.numbers("records", "quarantine") == [2, 1]
    [(kept, why)] = held(backend)
    assert json.loads(kept) == json.loads(counts(wrong)) and len(why) < 400
    assert backend.send(counts(interval(2))) == [ack(3)]


def test_a_number_beyond_a_float_takes_its_whole_message_with_it(backend: Backend) -> None:
    for n in (10**30, 10**400, 10**5000):
        sys.set_int_max_str_digits(0)
        payload = counts(interval(1), interval(2, total=0) | {"seq": n})
        sys.set_int_max_str_digits(4300)
        assert backend.send(payload) == []
    assert backend.numbers("records", "quarantine") == [0, 3]


@pytest.mark.parametrize("name", sorted(interval(1)))
def test_an_interval_without_a_required_key_goes_to_quarantine(
    backend: Backend, name: str
) -> None:
    record = interval(1)
    del record[name]
    optional = name in ("reset", "cfg", "mv", "temp")
    backend.send(counts(record))
    assert backend.numbers("quarantine") == [0 if optional else 1]


@pytest.mark.parametrize(
    "payload",
    (
        event("config"), event("", seq=1), event("x" * 41, seq=1), event("config", seq=0),
        event("config", seq="1"), event("gone", seq=1), gone(0, 4), gone(5, 4),
        event("gone", **{"from": 1}), event("gone", seq=3, **{"from": 1, "to": 2}),
        gone(1, 1 << 32),
    ),
)  # fmt: skip
def test_a_wrong_event_is_kept_and_not_confirmed(backend: Backend, payload: bytes) -> None:
    assert backend.send(payload, "event") == []
    assert backend.numbers("records", "gone", "quarantine") == [0, 0, 1]


def test_an_enormous_message_is_kept_in_part(backend: Backend) -> None:
    payload = counts(interval(1), padding="x" * 70_000)
    assert backend.send(payload) == []
    [(kept, reason)] = held(backend)
    assert payload.startswith(kept) and len(kept) == KEPT_BYTES_MAX
    assert reason == f"{len(payload)} bytes, at most 65536"


@pytest.mark.parametrize("mean", ("NaN", "Infinity", "1e999"))
def test_a_speed_that_is_no_number_does_not_spoil_the_database(
    backend: Backend, mean: str
) -> None:
    speed = {"mean": 0.125, "n": 1, "hist": [[3, 1]]}
    record = interval(1, speed={"forward": speed, "backward": speed})
    backend.send(counts(record).replace(b"0.125", mean.encode()))
    backend.send(counts(interval(1), log="11112222"))
    with sqlite3.connect(backend.path) as db:
        assert db.execute("SELECT sum(n) FROM counts").fetchone()[0] >= 1


def test_half_a_character_in_a_status_is_survived(backend: Backend) -> None:
    for log in ('"\\ud800"', '"0BADCAFE"', '"0badcafe\\n"', "5"):
        backend.send(b'{"state": "online", "log": %s}' % log.encode(), "status")
        assert backend.news == [("quarantine", "n1")]
    for value in (b'"\\ud800"', b'"\xed\xa0\x80"', b"NaN", b"-1e999", b'{"\\udfff": 1}'):
        backend.send(b'{"state": "online", "more": [%s]}' % value, "status")
        assert backend.news == [("quarantine", "n1")]


def test_a_status_of_any_depth_is_survived(backend: Backend) -> None:
    for depth in (*range(850, 1000), 30_000):
        backend.send(b'{"a": ' + b"[" * depth + b"]" * depth + b"}", "status")
        assert backend.news == [("quarantine", "n1")]


@pytest.mark.parametrize("name", ("log", "node"))
def test_a_newline_is_not_part_of_a_name(name: str) -> None:
    for kind, body in (("counts", json.loads(counts(interval(1)))), ("event", _event())):
        body[name] += "\n"
        assert not schema(kind).is_valid(body)


def _event() -> Body:
    body: Body = json.loads(event("config", seq=1))
    return body


def test_the_schemas_take_real_messages() -> None:
    assert schema("counts").is_valid(real_counts())
    assert schema("event").is_valid(_event())
    assert schema("event").is_valid(json.loads(gone(3, 9)))


@cache
def _real() -> str:
    return json.dumps(real_counts())


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in items:
        found.append((*path, key))
        if isinstance(inner, (dict, list)):
            found += _places(inner, (*path, key))
    return found


def test_a_string_instead_of_any_value_is_refused() -> None:
    for *path, last in _places(json.loads(_real())):
        body = json.loads(_real())
        place = body
        for key in path:
            place = place[key]
        place[last] = "?"
        assert not schema("counts").is_valid(body), (*path, last)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=5,
)


@given(key=st.sampled_from(sorted(interval(1))), value=JSON)
@few
def test_no_value_in_a_record_breaks_the_backend(backend: Backend, key: str, value: Any) -> None:
    before = sum(backend.numbers("records", "quarantine"))
    record = copy.deepcopy(interval(2)) | {key: value}
    answers = backend.send(counts(record))
    refused = backend.news[:1] == [("quarantine", "n1")]
    assert ("quarantine" in [kind for kind, _ in backend.news]) == refused
    assert refused == (answers == [])
    assert sum(backend.numbers("records", "quarantine")) - before in (0, 1)


@given(st.binary(max_size=80))
@few
def test_no_bytes_break_the_backend(backend: Backend, data: bytes) -> None:
    for suffix in ("counts", "event"):
        assert backend.send(data, suffix) == []
    assert backend.news == [("quarantine", "n1")]


def test_only_good_records_of_good_messages_are_there_after_a_mixture(
    backend: Backend, tmp_path: Path
) -> None:
    for seq in range(1, 9):
        backend.send(b"\xff" * seq)
        backend.send(counts(interval(seq), log=LOG))
        backend.send(counts(interval(seq), v=9))
    assert backend.numbers("records", "quarantine") == [8, 16]
    assert backend.send(counts(interval(8))) == [ack(8)]
