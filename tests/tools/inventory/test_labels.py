"""Labels: an independent reader reads the codes from the sheet as it is printed."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from tests.tools import golden_output

from tallypost import cli
from tallypost.i18n import LANGUAGES
from tallypost.inventory.inventory import COLUMNS

Capture = pytest.CaptureFixture[str]
SITES = ("Löwenplatz 7", 'Bridge <3> & "Quay"', "x" * 40, "a\x01b", "")
LONGEST = "a" * 32


def row(number: int, node: str = "") -> dict[str, str]:
    lora = number % 2
    return {
        "node": node or f"street-{number}", "mac": f"24:0a:c4:00:00:{number:02x}",
        "chip": "esp32", "board": "esp32_generic", "site": SITES[number % len(SITES)],
        "dev_eui": f"240ac4fffe0000{number:02x}" if lora else "",
        "join_eui": "70b3d57ed0000001" if lora else "",
        "time": "2026-01-01T00:00:00Z", "version": "0.1.0",
    }  # fmt: skip


def inventory(path: Path, *rows: dict[str, str]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """25 nodes, one more than a sheet holds, with the longest name and every kind of site."""
    rows = [row(i, LONGEST if i == 5 else "") for i in range(25)]
    return inventory(tmp_path / "inventory.csv", *rows)


def call(*words: object) -> int:
    return cli.main(["label", *(str(word) for word in words)])


def texts(svg: Path) -> list[str]:
    return [e.text or "" for e in xml.parse(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_label_shows_node_site_addresses_and_contact(many: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("--inventory", many, "--out", out, "--contact", "City of Example 030 901") == 0
    assert texts(out / "street-1.svg") == [
        "street-1", 'Bridge <3> & "Quay"', "MAC 24:0A:C4:00:00:01", "DevEUI 240AC4FFFE000001",
        "City of Example 030 901",
    ]  # fmt: skip
    assert texts(out / "street-10.svg")[:2] == ["street-10", "Löwenplatz 7"]
    assert texts(out / "street-3.svg")[1] == "a b"
    assert len(list(out.glob("*.svg"))) == 27 and len(texts(out / "_sheet-2.svg")) == 3


def test_labels_of_one_node_alone_are_drawn_with_node(
    many: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ("--inventory", many, "--node", "street-2", "--out", tmp_path / "out", "--json")
    assert call(*words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == ["_sheet-1.svg", "street-2.svg"]
    assert told["labels"] == [{"node": "street-2", "code": "tallypost:street-2?mac=240AC4000002"}]


def test_the_code_of_a_node_with_lorawan_follows_tr005_of_the_lora_alliance(
    many: Path, tmp_path: Path, capsys: Capture
) -> None:
    words = ("--inventory", many, "--node", "street-1", "--out", tmp_path / "out", "--json")
    assert call(*words) == 0
    code = json.loads(capsys.readouterr().out)["labels"][0]["code"]
    assert re.fullmatch("LW:D0:[0-9A-F]{16}:[0-9A-F]{16}:[0-9A-F]{8}:S[^:]+", code)
    assert code == "LW:D0:70B3D57ED0000001:240AC4FFFE000001:00000000:Sstreet-1"


def test_a_reader_finds_every_code_on_the_printed_sheet(
    many: Path, tmp_path: Path, capsys: Capture
) -> None:
    for program in ("zbarimg", "rsvg-convert"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    out = tmp_path / "out"
    assert call("--inventory", many, "--out", out, "--json") == 0
    wanted = {one["code"] for one in json.loads(capsys.readouterr().out)["labels"]}
    found = set()
    for page in sorted(out.glob("_sheet-*.svg")):
        picture = page.with_suffix(".png")
        subprocess.run(["rsvg-convert", "-d", "150", "-p", "150", page, "-o", picture], check=True)
        command = ["zbarimg", "--raw", "-q", "-Sdisable", "-Sqrcode.enable", picture]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        found |= set(result.stdout.split())
    assert found == wanted and len(found) == 25


@pytest.mark.parametrize(
    ("words", "text"),
    (
        (("--inventory", "@gone.csv"), "gone.csv: "),
        (
            ("--inventory", "@empty.csv"),
            "empty.csv: the inventory has no node. First run: tallypost provision",
        ),
        (("--inventory", "@climbing.csv"), "climbing.csv:2: not a row of an inventory"),
        (
            ("--inventory", "@other.csv"),
            "other.csv: this is not an inventory. An inventory has the columns node,mac",
        ),
        (("--inventory", "@inventory.csv", "--node", "nope"), "no node 'nope'"),
        (("--inventory", "@inventory.csv", "--contact", "x" * 41), "--contact has more than 40"),
    ),
)
def test_wrong_usage_is_refused_in_one_line_and_writes_nothing(
    words: tuple[str, ...], text: str, many: Path, tmp_path: Path, capsys: Capture
) -> None:
    inventory(tmp_path / "empty.csv")
    inventory(tmp_path / "climbing.csv", row(1, "../../n"))
    (tmp_path / "other.csv").write_text("node,secret\nn1,x\n")
    out = tmp_path / "out"
    assert call(*(word.replace("@", f"{tmp_path}/") for word in words), "--out", out) in (1, 2)
    said = capsys.readouterr()
    assert said.out == "" and text in said.err and said.err.count("\n") == 1
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_refused_with_advice(many: Path, capsys: Capture) -> None:
    assert call("--inventory", many, "--out", "/proc/labels") == 1
    assert "or name another folder with --out" in capsys.readouterr().err


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(
    language: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inventory(tmp_path / "inventory.csv", row(1), row(2))
    assert call("--inventory", "inventory.csv", "--out", "labels", "--lang", language) == 0
    golden_output.check(language, "label", capsys.readouterr().out)
