"""The output of `tallypost listen` and `report`: for people in both languages, for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, TOPIC, counts, event, gone, interval
from tests.tools import golden_output
from tests.tools.backend.test_report import db

from tallypost import i18n
from tallypost.backend import listen
from tallypost.backend.collector import Collector
from tallypost.cli import main
from tallypost.i18n import LANGUAGES

__all__ = ("db",)
Capture = pytest.CaptureFixture[str]
Body = dict[str, Any]
STATE = {"log": LOG, "newest": 40, "det": "ok"}
ANSWER = {"id": 7, "code": "ok", "text": ""}


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    i18n.use("en")


@pytest.fixture
def news(tmp_path: Path) -> list[Body]:
    """One piece of each kind, the first ones from a real collector."""
    found: list[Body] = []

    def keep(kind: str, node: str, body: Body) -> None:
        found.append({"at": "2026-03-02T07:15:01Z", "what": kind, "node": node, **body})

    collector = Collector(tmp_path / "db", on_news=keep)
    for suffix, payload in (
        ("status", b'{"state": "online", "version": "0.2.0"}'),
        ("status", b'{"state": "offline"}'),
        ("counts", counts(interval(1, 3), interval(2, 2, total=9, start=None, why=["blocked"]))),
        ("event", event("config", seq=3, key="interval_s")),
        ("event", gone(4, 6)),
        ("event", event("config", seq=5, key="interval_s")),
        ("counts", b"noise"),
    ):
        collector.on_message(f"{TOPIC}/{suffix}", payload, 1_780_300_000.0)
    collector.close()
    keep("state", "n1", STATE)
    keep("answer", "n1", ANSWER)
    keep("reply", "n1", {"id": "x1", "ok": True, "result": "pong"})
    keep("reply", "n1", {"id": None, "ok": False, "error": "busy"})
    keep("quarantine", "n1", {"reason": "not JSON", "dropped": 1})
    keep("quarantine", "n1", {"reason": "not JSON", "dropped": 12_345})
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_news_of_listen_are_as_agreed(language: str, news: list[Body]) -> None:
    i18n.use(language)
    lines = [listen.describe(one) for one in news]
    golden_output.check(language, "listen", "\n".join(lines))


def test_each_piece_of_news_says_its_kind(news: list[Body]) -> None:
    assert [one["what"] for one in news] == [
        "status", "status", "interval", "interval", "doubt", "event", "gone", "event",
        "corrected", "quarantine", "state", "answer", "reply", "reply", "quarantine", "quarantine",
    ]  # fmt: skip
    [doubt] = [one for one in news if one["what"] == "doubt"]
    assert doubt["seq"] == 2 and doubt["reason"].startswith("the totals do not continue")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_report_is_as_agreed(language: str, db: Path, capsys: Capture) -> None:
    assert main(["report", "--lang", language, "--db", str(db), "--node", "gate"]) == 0
    assert main(["report", "--lang", language, "--db", str(db), "--node", "g", "--by", "day"]) == 1
    captured = capsys.readouterr()
    text = f"{captured.out}--- stderr\n{captured.err}".replace(str(db), "counts.sqlite")
    golden_output.check(language, "report", text)


def test_machines_get_the_same_rows_in_both_languages(db: Path, capsys: Capture) -> None:
    seen = set()
    for language in LANGUAGES:
        words = ["report", "--lang", language, "--db", str(db), "--node", "gate", "--json"]
        assert main(words) == 0
        seen.add(capsys.readouterr().out)
    [text] = seen
    assert json.loads(text.splitlines()[0])["direction"] == "forward"
