"""The data sheet says what the configuration of a node says."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.tools import golden_output

from tallypost import cli
from tallypost.backend.stores.sqlite import open_file
from tallypost.i18n import LANGUAGES
from tallypost.papers.datasheet import DETECTORS
from tallypost.provisioning import settings

Capture = pytest.CaptureFixture[str]


def made(tmp_path: Path, capsys: Capture, config: dict[str, object], *words: str) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert cli.main(["datasheet", "--node", "n1", "--config", str(path), *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sheet_is_as_agreed(language: str, tmp_path: Path, capsys: Capture) -> None:
    config = {"site": "Löwenplatz 7", "mqtt_host": "b.example", "mqtt_tls": 1, "mqtt_port": 8883}
    words = ("--contact", "City of Example", "--keep", "10 a", "--lang", language)
    text = made(tmp_path, capsys, config, *words)
    version = cli.resources.version()
    golden_output.check(language, "datasheet", text.replace(version, "VERSION"))


def test_plain_text_and_short_intervals_are_stated(tmp_path: Path, capsys: Capture) -> None:
    text = made(tmp_path, capsys, {"interval_min": 1, "mqtt_host": "b", "privacy_k": 1})
    assert "a single road user passed" in text and "number alone" not in text
    assert "MQTT in plain text to b:1883" in text and "Intervals of 1 minutes" in text
    assert "TLS" not in text


def test_a_node_with_lorawan_alone_names_no_broker(tmp_path: Path, capsys: Capture) -> None:
    text = made(tmp_path, capsys, {"link": "lorawan", "mqtt_host": "b.example"})
    assert "LoRaWAN, encrypted" in text and "b.example" not in text


def test_every_detector_is_described() -> None:
    [row] = [row for row in settings.table() if row[0] == "detector"]
    assert set(row[2]) == set(DETECTORS)


def test_the_configuration_comes_from_the_database(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "db"
    with closing(open_file(path)) as db, db:
        body = json.dumps({"config": {"site": "Gate | <b>", "interval_min": 60}})
        db.execute("INSERT INTO reports VALUES ('n1', 'config', ?, '')", (body,))
    words = ["datasheet", "--node", "n1", "--db", str(path), "--out", str(tmp_path / "sheet.txt")]
    assert cli.main(words) == 0
    text = (tmp_path / "sheet.txt").read_text()
    assert "60 minutes" in text and "Gate \\| &lt;b>" in text


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        ((), 2, "Give exactly one of --config FILE and --db FILE."),
        (("--db", "@no"), 1, "there is no such database"),
        (("--db", "@db"), 1, "it has no configuration of the node 'n1'"),
        (("--config", "@bad"), 1, "is not JSON"),
        (("--config", "@good", "--out", "@no/x"), 1, "Name another file with --out."),
    ),
)
def test_a_failure_is_one_line(
    tmp_path: Path, capsys: Capture, words: tuple[str, ...], status: int, text: str
) -> None:
    sqlite3.connect(tmp_path / "db").close()
    (tmp_path / "bad").write_text("{")
    (tmp_path / "good").write_text("{}")
    given = [word.replace("@", f"{tmp_path}/") for word in words]
    assert cli.main(["datasheet", "--node", "n1", *given]) == status
    err = capsys.readouterr().err
    assert text in err and err.count("\n") == 1
