"""Signed records: forged and changed ones are refused, and the audit sees what came later."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, TOPIC, event, interval, on_node

from tallypost import cli
from tallypost.backend.collector import Collector
from tallypost.backend.record_macs import MacKeys, mac_of, texts

KEY, OTHER = bytes(range(32)), bytes(32)
Body = dict[str, Any]
# The reference signer, in the interpreter of the node: a record gets its MAC while it is written.
SIGNER = """
import hashlib, json, sys
key, node, log, text = [bytes.fromhex(word) for word in {words!r}]
inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]) + b"\\x36" * (64 - len(key)))
for part in (node, b"\\n", log, b"\\n", text):
    inner.update(part)
outer = hashlib.sha256(bytes([b ^ 0x5C for b in key]) + b"\\x5c" * (64 - len(key)))
outer.update(inner.digest())
sys.stdout.write(outer.digest()[:16].hex())
"""


def signed(body: Body, key: bytes = KEY, node: str = "n1", log: str = LOG) -> str:
    """The text of a record with its MAC, as a node writes it: without spaces."""
    text = json.dumps(body, separators=(",", ":"))[:-1]
    return f'{text},"mac":"{mac_of(key, node, log, text)}"}}'


def counts(*records: str, spaces: str = "") -> bytes:
    head = {"v": 1, "node": "n1", "log": LOG, "bin_kmh": 5}
    recs = f",{spaces}".join(records)
    return f'{json.dumps(head)[:-1]},"recs":[{spaces}{recs}]}}'.encode()


class Backend:
    """A collector, its news and its file."""

    def __init__(self, folder: Path, required: bool = False) -> None:
        self.path = folder / "db"
        self.news: list[tuple[str, Body]] = []
        keys = MacKeys({"n1": KEY}, required)
        self._collector = Collector(self.path, on_news=self._note, macs=keys)

    def _note(self, kind: str, _node: str, body: Body) -> None:
        self.news.append((kind, body))

    def get(self, payload: bytes, suffix: str = "counts") -> list[Any]:
        return self._collector.on_message(f"{TOPIC}/{suffix}", payload, 1_790_000_000.0)

    def rows(self, query: str) -> list[Any]:
        with sqlite3.connect(self.path) as db:
            return db.execute(query).fetchall()

    def refused(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT reason FROM quarantine")]

    def held(self) -> list[int]:
        return [row[0] for row in self.rows("SELECT seq FROM records ORDER BY seq")]

    def close(self) -> None:
        self._collector.close()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    made = Backend(tmp_path)
    yield made
    made.close()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Backend]:
    """It refuses records without a MAC."""
    made = Backend(tmp_path, required=True)
    yield made
    made.close()


def test_a_signer_on_the_node_makes_the_same_mac() -> None:
    text = json.dumps(interval(3), separators=(",", ":"))[:-1]
    words = [part.hex() for part in (KEY, b"n1", LOG.encode(), text.encode())]
    assert on_node(SIGNER.format(words=words)) == mac_of(KEY, "n1", LOG, text)


def test_a_signed_record_is_stored_as_it_came_and_confirmed(backend: Backend) -> None:
    text = signed(interval(1))
    [ack] = backend.get(counts(text))
    assert json.loads(ack[1])["seq"] == 1
    assert backend.rows("SELECT body FROM records") == [(text,)]
    assert backend.rows("SELECT node, state, times FROM signatures") == [("n1", "signed", 1)]


@pytest.mark.parametrize(
    "forged",
    (
        signed(interval(1), key=OTHER),
        signed(interval(1), node="n2"),
        signed(interval(1), log="0badbabe"),
        signed(interval(1)).replace('"car":1', '"car":9'),
        signed(interval(1)).replace('"seq":1', '"seq":2'),
        signed(interval(1)).replace('"mac":"', '"mac": "'),
        signed(interval(1))[:-1] + ',"x":1}',
    ),
)
def test_a_forged_record_is_quarantined_and_not_confirmed(backend: Backend, forged: str) -> None:
    assert backend.get(counts(forged)) == []
    assert backend.held() == [] and "the MAC is wrong" in backend.refused()[0]
    assert backend.rows("SELECT state FROM signatures") == [("wrong",)]


def test_a_forged_record_does_not_take_the_place_of_the_true_one(backend: Backend) -> None:
    backend.get(counts(json.dumps(interval(1, cars=500))))
    backend.get(counts(signed(interval(1, cars=2))))
    [(body,)] = backend.rows("SELECT body FROM records")
    assert json.loads(body)["counts"]["forward"]["car"] == 2 and backend.refused() == []
    backend.get(counts(json.dumps(interval(1, cars=500))))
    assert "held with other contents" in backend.refused()[0]


def test_the_good_records_of_a_batch_are_kept(backend: Backend) -> None:
    bad = signed(interval(2)).replace('"car":1', '"car":7')
    backend.get(counts(signed(interval(1)), bad, signed(interval(3)), spaces=" \n"))
    assert backend.held() == [1, 3] and len(backend.refused()) == 1


def test_an_unsigned_record_is_refused_if_a_mac_is_required(strict: Backend) -> None:
    strict.get(counts(json.dumps(interval(1))))
    assert strict.held() == [] and "no MAC, and this node has a key" in strict.refused()[0]
    strict.get(counts(signed(interval(1))))
    assert strict.held() == [1]


def test_a_claim_that_records_are_gone_needs_a_mac_too(strict: Backend) -> None:
    claim = {"v": 1, "node": "n1", "log": LOG, "event": "gone", "from": 1, "to": 9}
    strict.get(json.dumps(claim).encode(), "event")
    assert strict.rows("SELECT * FROM gone") == [] and len(strict.refused()) == 1
    strict.get(signed(claim).encode(), "event")
    assert strict.rows("SELECT first, last FROM gone") == [(1, 9)]


def test_an_event_is_signed_as_a_whole(strict: Backend) -> None:
    body = json.loads(event("config", seq=1))
    strict.get(signed(body).encode(), "event")
    assert strict.held() == [1]
    strict.get(signed(body | {"seq": 2}, key=OTHER).encode(), "event")
    assert strict.held() == [1] and "the MAC is wrong" in strict.refused()[0]
    states = strict.rows("SELECT state, times FROM signatures ORDER BY state")
    assert states == [("signed", 1), ("wrong", 1)]


def test_records_are_found_behind_a_text_that_looks_like_them() -> None:
    record = signed(interval(1))
    payload = json.dumps({"x": '"recs":[{"seq":1}', "recs": [7]})
    assert texts(payload.encode(), [7]) == ["7"]
    payload = f'{{"x":{{"recs":[5]}},"recs": [ {record} ]}}'
    assert texts(payload.encode(), [json.loads(record)]) == [record]
    with pytest.raises(ValueError, match="cannot be found"):
        texts(b'{"recs":[1]}', [2])


# --- audit


@pytest.fixture
def kept(backend: Backend, tmp_path: Path) -> Backend:
    """Five signed records, and the file of keys."""
    for seq in range(1, 6):
        backend.get(counts(signed(interval(seq))))
    (tmp_path / "keys.json").write_text(json.dumps({"n1": KEY.hex()}))
    return backend


def audited(
    backend: Backend, capsys: pytest.CaptureFixture[str], status: int = 0
) -> dict[str, Any]:  # fmt: skip
    keys = backend.path.parent / "keys.json"
    words = ["audit", "--db", str(backend.path), "--mac-keys", str(keys), "--json"]
    assert cli.main(words) == status
    [row] = json.loads(capsys.readouterr().out)["logs"]
    return dict(row)


def test_a_whole_log_passes(kept: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    kept.get(counts(signed(interval(6), key=OTHER)))
    row = audited(kept, capsys)
    assert (row["held"], row["signed"], row["refused"], row["good"]) == (5, 5, 1, True)


CHANGES = (
    ("UPDATE records SET body = replace(body, '\"car\":1', '\"car\":4') WHERE seq = 3", "altered"),
    ("UPDATE records SET seq = 77 WHERE seq = 3", "altered"),
    ("DELETE FROM records WHERE seq = 3", "removed"),
    ("DELETE FROM records WHERE seq = 5", "removed"),
    ("UPDATE records SET body = substr(body, 1, instr(body, ',\"mac\"') - 1) || '}' WHERE seq = 3",
     "unsigned"),
)  # fmt: skip


@pytest.mark.parametrize(("change", "finding"), CHANGES)
def test_a_change_of_the_database_is_seen(
    kept: Backend, change: str, finding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(kept.path) as db:
        assert db.execute(change).rowcount == 1
    row = audited(kept, capsys, status=1)
    assert row[finding] and not row["good"]


def test_records_that_the_node_reported_as_gone_are_not_removed(
    backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"n1": KEY.hex()}))
    claim = {"v": 1, "node": "n1", "log": LOG, "event": "gone", "from": 1, "to": 2}
    backend.get(signed(claim).encode(), "event")
    backend.get(counts(signed(interval(3))))
    row = audited(backend, capsys)
    assert (row["gone"], row["removed"], row["good"]) == (2, [], True)


def test_the_table_names_the_numbers(kept: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(kept.path) as db:
        db.execute("DELETE FROM records WHERE seq = 2")
    keys = str(kept.path.parent / "keys.json")
    assert cli.main(["audit", "--db", str(kept.path), "--mac-keys", keys]) == 1
    assert f"n1, log {LOG}: removed: 2" in capsys.readouterr().out


@pytest.mark.parametrize("text", ("[1]", "{", '{"n1": "zz"}', '{"n1": "00"}', '{"n1": 7}'))
def test_a_bad_file_of_keys_is_one_line_without_a_key(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys.json").write_text(text)
    (tmp_path / "db").touch()
    words = ["audit", "--db", str(tmp_path / "db"), "--mac-keys", str(tmp_path / "keys.json")]
    assert cli.main(words) == 1
    err = capsys.readouterr().err
    assert "keys.json: " in err and err.count("\n") == 1 and "zz" not in err


def test_a_missing_database_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys.json").write_text("{}")
    words = ["audit", "--db", str(tmp_path / "no"), "--mac-keys", str(tmp_path / "keys.json")]
    assert cli.main(words) == 2
    assert "there is no such database" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
