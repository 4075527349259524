"""No message of a node ends `tallypost listen`, and each is acknowledged to the broker once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, ROOT, TOPIC, counts, event, gone, interval
from tests.tools.backend.session import Session
from tests.tools.backend.test_collector import UTC, Backend, ack, backend

from tallypost import console
from tallypost.backend import limits, listen, messages
from tallypost.backend.collector import Collector
from tallypost.backend.lorawan.collector import LoraCollector
from tallypost.technician import monitor

__all__ = ("backend",)
Capture = pytest.CaptureFixture[str]
SCHEMAS = ROOT / "tools" / "tallypost" / "backend" / "schemas"
TRICK = "\x1b]52;c;cm0gLXJm\x07\x1b[2J\x9b31m\u202eevil\r\nn2 online\x00\x7f"


@pytest.fixture(params=("text", "json"))
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    words = ("--json",) if request.param == "json" else ()
    session = Session(tmp_path / "db", *words)
    yield session
    session.collector.close()


def raw_event(pairs: str) -> bytes:
    head = f'"v": 1, "node": "n1", "log": "{LOG}", "event": "config", "seq": 1'
    return f"{{{head}, {pairs}}}".encode()


EVENTS = (
    '"start": {}', '"len": 1180591620717411303424', '"len": []', '"cov": {"a": 1}',
    '"what": "gone"', '"what": "interval"', '"at": 5', '"what": "no such kind"',
    '"x": "\\ud800"', '"\\udfff": 1', '"x": NaN', '"x": -Infinity', '"x": 1e999',
    '"x": ' + "[" * 30_000, '"x": ' + "9" * 5000, '"x": ' + "9" * 4000, '"seq": 2', '"seq": 1.0',
    '"node": "n2"', '"from": [], "to": {}', '"x": [' + "{}," * 20_000 + "{}]",
    '"x": {' + ",".join(f'"k{i}": 1' for i in range(5000)) + "}",
)  # fmt: skip


@pytest.mark.parametrize("pairs", EVENTS, ids=lambda pairs: str(pairs)[:30])
def test_no_event_ends_the_listener(session: Session, pairs: str) -> None:
    session.receive(f"{TOPIC}/event", raw_event(pairs))
    session.receive(f"{TOPIC}/counts", counts(interval(7)))
    assert session.collector.store.newest(("n1", LOG)) == 7


BODIES = (
    b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b'{"what": "interval"}', b'{"at": 5}',
    b'{"state": "online", "what": "interval"}', b'{"state": "online", "at": 5, "node": "n1"}',
    b'{"state": "online", "log": {}}', b'{"state": {}}', b'{"state": "online", "version": []}',
    b"x" * 10_000_000, b'{"v": 1, "id": [], "ok": true}', b'{"v": 1, "id": 1, "ok": "yes"}',
)  # fmt: skip


@pytest.mark.parametrize("suffix", messages.SUFFIXES)
def test_no_payload_ends_the_listener_on_any_topic(session: Session, suffix: str) -> None:
    for payload in BODIES:
        session.receive(f"{TOPIC}/{suffix}", payload)


@pytest.mark.parametrize(
    "topic",
    (
        "tallypost/v1/" + "n" * 60_000 + "/status", "tallypost/v1//status",
        "tallypost/v1/'; DROP TABLE records; --/status", "tallypost/v1/\U0001f6b2/event",
        b"tallypost/v1/\xff\xfe/event", "tallypost/v1/" + TRICK.replace("\x00", "") + "/event",
        "tallypost/v1/N1/counts",
    ),
    ids=range(7),
)  # fmt: skip
def test_no_topic_ends_the_listener_or_makes_a_node(session: Session, topic: Any) -> None:
    session.receive(topic, b'{"state": "online"}')
    assert session.collector.store.count_rows("nodes") == 0


def test_an_error_that_nobody_foresaw_is_survived(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(*_: Any, **__: Any) -> bool:
        raise ArithmeticError("on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(session.collector.store, "insert_new", fail)
        session.receive(f"{TOPIC}/counts", counts(interval(1)))
        session.receive(f"{TOPIC}/event", event("config", seq=2))
    assert "ArithmeticError: on purpose" in capsys.readouterr().out
    session.receive(f"{TOPIC}/counts", counts(interval(1)))
    assert session.collector.store.newest(("n1", LOG)) == 1


def test_news_that_cannot_be_shown_are_stored_and_survived(tmp_path: Path) -> None:
    def fail(kind: str, *_: Any) -> None:
        if kind == "interval":
            raise KeyError("counts")

    collector = Collector(tmp_path / "db", on_news=fail)
    assert collector.on_message(f"{TOPIC}/counts", counts(interval(1)), UTC)
    assert collector.store.count_rows("records") == 1
    collector.close()


@pytest.mark.parametrize("error", (sqlite3.OperationalError, sqlite3.DatabaseError))
def test_a_failing_disk_still_ends_the_collector(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: Any, **_options: Any) -> bool:
        raise error("disk I/O error")

    monkeypatch.setattr(backend.store, "insert_new", fail)
    with pytest.raises(error):
        backend.send(counts(interval(1)))
    assert backend.numbers("quarantine") == [0]


# --- what is shown


def test_a_node_cannot_write_the_line_of_another(tmp_path: Path, capsys: Capture) -> None:
    collector = Collector(
        tmp_path / "db", on_news=lambda *news: console.result_json(listen.as_object(*news))
    )
    forged = {"what": "gone", "at": "2000-01-01T00:00:00Z"}
    for suffix, payload in (
        ("event", event("config", seq=1, **forged)),
        ("counts", counts(interval(2) | forged | {"node": "n2"})),
        ("status", json.dumps({"state": "online"} | forged).encode()),
        ("status", b'{"state": "online", "node": "n2"}'),
    ):
        collector.on_message(f"{TOPIC}/{suffix}", payload, UTC)
    collector.close()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["what"] for line in lines] == ["event", "interval", "status", "quarantine"]
    assert {line["node"] for line in lines} == {"n1"}
    assert all(line["at"] > "2026" for line in lines)


def has_control(text: str) -> bool:
    return any(not char.isprintable() for char in text.replace("\n", ""))


def test_a_text_of_a_node_has_no_power_over_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    session = Session(tmp_path / "db")
    online = {"state": "online", "version": TRICK[:30]}
    session.receive(f"{TOPIC}/status", json.dumps(online).encode())
    session.receive(f"{TOPIC}/event", event(TRICK[:39], seq=1))
    session.receive(f"{TOPIC}/counts", counts(interval(1, det=TRICK)))
    session.receive(f"{TOPIC}/reply", json.dumps(
        {"v": 1, "id": TRICK, "ok": False, "error": TRICK}).encode())  # fmt: skip
    session.receive(f"tallypost/v1/{TRICK[:-2]}/status", b"{}")
    session.collector.close()
    out = capsys.readouterr().out
    assert not has_control(out) and len(out.splitlines()) == 5
    assert "\\x1b]52;c;" in out and "\\x9b31m" in out and "\\u202e" in out


def test_a_log_line_of_a_node_has_no_power_over_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    class Port:
        name = "port"
        lines = staticmethod(lambda _s: ["\x1b[0;32mI (29) boot: ok\x1b[0m", TRICK])

    monitor.follow(Port(), as_json=False)  # type: ignore[arg-type]
    out = capsys.readouterr().out
    assert not has_control(out) and len(out.splitlines()) == 2
    assert "I (29) boot: ok" in out and "32m" not in out and "evil\\r\\nn2 online\\x00\\x7f" in out


@pytest.mark.parametrize("show", (console.result, console.note, console.error))
def test_nothing_that_is_printed_reaches_the_terminal_raw(
    show: Callable[[str], None], capsys: Capture
) -> None:
    show("a\tb\n" + TRICK + "\ud800 – ä → \U0001f6b2")
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert not has_control(text)
    assert "b\n" in text and "– ä → \U0001f6b2" in text and "\\ud800" in text
    console.table(TRICK, ["one"], [[TRICK]])
    assert not has_control(capsys.readouterr().out)


# --- work and space


def test_a_node_that_floods_does_not_take_the_time_of_the_others(backend: Backend) -> None:
    for _ in range(int(limits.MESSAGES_BURST)):
        backend.collector.on_message(f"{TOPIC}/x", b"", UTC)
    assert backend.send(counts(interval(1))) == []
    other = counts(interval(1), node="n2")
    assert backend.collector.on_message("tallypost/v1/n2/counts", other, UTC)
    assert backend.collector.refused.dropped() == 1
    assert backend.send(counts(interval(1)), utc=UTC + 60) == [ack(1)]


def test_new_records_of_a_node_are_bounded_in_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECORDS_BURST", 5.0)
    backend = Backend(tmp_path / "db")
    batch = counts(*(interval(seq) for seq in range(1, 9)))
    assert backend.send(batch) == [ack(5)]
    assert backend.send(batch, utc=UTC + 1) == [ack(7)]
    assert backend.send(batch, utc=UTC + 60) == [ack(8)]


def test_a_node_cannot_begin_logs_without_end(backend: Backend) -> None:
    for n in range(limits.LOGS_MAX):
        assert backend.send(counts(interval(1), log=f"{n:08x}"))
    assert backend.send(counts(interval(1))) == []
    assert backend.send(counts(interval(2), log="00000000")) == [ack(2, "00000000")]


def test_a_schema_with_unique_items_is_not_given_long_lists(backend: Backend) -> None:
    for why in ([f"w{i}" for i in range(60)], [f"w{i}" for i in range(5000)]):
        backend.send(counts(interval(1, why=why)))
        assert backend.news == [("quarantine", "n1")]


def test_every_topic_of_a_node_has_a_schema_with_limits() -> None:
    for name in messages.SUFFIXES:
        text = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
        assert not list(unbounded(text)), name
    assert {f.stem for f in SCHEMAS.glob("*.json")} == {*messages.SUFFIXES, "cmd"}


def unbounded(schema: Any, path: str = "$") -> Iterator[str]:
    """Places of a schema that allow a value without end."""
    if isinstance(schema, list):
        for i, inner in enumerate(schema):
            yield from unbounded(inner, f"{path}[{i}]")
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type", [])
    wanted = {"array": "maxItems", "string": "maxLength", "integer": "maximum",
              "number": "maximum"}  # fmt: skip
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        is_pair = kind == "array" and schema.get("items") is False
        is_id = path.endswith(".id")  # a whole number of 64 bits
        if kind in wanted and wanted[kind] not in schema and not is_pair and not is_id:
            yield f"{path}: {kind}"
    if "object" in kinds and schema.get("additionalProperties") is not False:
        if "maxProperties" not in schema:
            yield f"{path}: object"
    for key, inner in schema.items():
        yield from unbounded(inner, f"{path}.{key}")


# --- what cannot be true


@pytest.mark.parametrize("start", ("2026-99-99T00:00:00Z", "2026-02-30T00:00:00Z",
                                   "2026-01-01T24:00:00Z"))  # fmt: skip
def test_a_start_that_is_no_time_is_refused(backend: Backend, start: str) -> None:
    assert backend.send(counts(interval(1, start=start))) == []


@pytest.mark.parametrize("start", ("9999-12-31T23:59:59Z", "2046-06-01T00:00:00Z",
                                   "1999-01-01T00:00:00Z"))  # fmt: skip
def test_a_start_that_cannot_be_true_is_stored_without_a_time(
    backend: Backend, start: str
) -> None:
    assert backend.send(counts(interval(1, start=start))) == [ack(1)]
    assert ("doubt", "n1") in backend.news
    with sqlite3.connect(backend.path) as db:
        assert db.execute("SELECT DISTINCT start FROM counts").fetchall() == [(None,)]
    assert backend.send(counts(interval(1, start=start))) == [ack(1)]


def test_more_passages_than_can_pass_are_doubted(backend: Backend) -> None:
    backend.send(counts(interval(1, cars=9_000)))
    assert backend.news == [("interval", "n1")]
    backend.send(counts(interval(1, cars=9_101), log="11112222"))
    assert ("doubt", "n1") in backend.news


def test_a_number_that_no_node_can_have_is_refused(backend: Backend) -> None:
    for payload, suffix in (
        (counts(interval(2**32 - 1)), "counts"), (gone(1, 2**32 - 1), "event"),
        (event("config", seq=2**32 - 1), "event"),
    ):  # fmt: skip
        assert backend.send(payload, suffix) == []
    assert backend.send(counts(interval(500_000))) == [
        ack(0), ("cmd", {"id": f"{LOG}-1", "cmd": "resend", "from": 1, "to": 20_000})
    ]  # fmt: skip


# --- network servers


@pytest.mark.parametrize(
    "payload",
    (b"[" * 30_000, b'{"uplink_message": {"f_port": true, "frm_payload": "AA=="}}',
     b'{"uplink_message": {"f_port": {"a": 1}, "frm_payload": []}}', b"9" * 5000, b"x" * 1_000_000,
     b'{"uplink_message": {"f_port": 1, "frm_payload": "\\ud800"}}'),
    ids=range(6),
)  # fmt: skip
def test_no_message_of_a_network_server_ends_the_collector(tmp_path: Path, payload: bytes) -> None:
    news: list[str] = []
    collector = LoraCollector(tmp_path / "db", lambda kind, *_: news.append(kind))
    assert collector.on_message("v3/city@ttn/devices/n1/up", payload, UTC) == []
    collector.close()
    assert news == ["quarantine"]
