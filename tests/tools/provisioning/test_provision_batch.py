"""Many boards from one CSV: inventory, secrets, import files, and failures named by row."""

from __future__ import annotations

import csv
import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.booted import nvs
from tests.support.boards.mock_board import MockBoard, own_answers
from tests.tools.provisioning.test_provision_board import state

from tallypost import cli

__all__ = ("state",)
Capture = pytest.CaptureFixture[str]
COUNT, UNPLUGGED, WRONG = 20, 7, 12  # positions, from 0
JOIN_EUI = "70b3d57ed0000001"
WIFI = "between-you-and-me"


@pytest.fixture
def bench() -> Iterator[list[MockBoard]]:
    """Twenty boards. One has another chip and one is not connected."""
    with own_answers():
        boards = [
            MockBoard(kind(number), number, chip="esp32s3" if number == WRONG else "")
            for number in range(COUNT)
        ]
        boards[UNPLUGGED].close()
        yield boards
        for board in boards:
            board.close()


def kind(number: int) -> str:
    """Every other board has LoRaWAN."""
    return "lilygo_t3_v1_6_1" if number % 2 else "esp32_generic"


def table(path: Path, *rows: dict[str, str]) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(count: int = COUNT) -> list[dict[str, str]]:
    return [
        {
            "node": f"street-{i:02}", "site": f"Löwenplatz {i}", "detector": "beam",
            "wifi_ssid": "city", "wifi_pass": WIFI, "config.interval_min": "5",
            "join_eui": JOIN_EUI if i % 2 else "", "board": kind(i), "config.mqtt_host": "b",
        }
        for i in range(count)
    ]  # fmt: skip


def ports_of(boards: list[MockBoard]) -> str:
    return ",".join(board.url for board in boards)


def call(*words: object) -> int:
    return cli.main(["provision", *(str(word) for word in words)])


def inventory(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "inventory.csv", newline="") as file:
        return {row["node"]: row for row in csv.DictReader(file)}


def secrets_of(out: Path) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = json.loads((out / "secrets.json").read_text())
    return table


def test_one_command_provisions_twenty_boards(
    bench: list[MockBoard], tmp_path: Path, capsys: Capture
) -> None:
    path, out = table(tmp_path / "boards.csv", *rows_of()), tmp_path / "out"
    words = ("--csv", path, "--ports", ports_of(bench), "--out", out)
    assert call(*words) == 1
    said = capsys.readouterr()
    good = [i for i in range(COUNT) if i not in (UNPLUGGED, WRONG)]
    assert list(inventory(out)) and set(inventory(out)) == {f"street-{i:02}" for i in good}
    assert (
        f"row {UNPLUGGED + 2} (street-07): {bench[UNPLUGGED].url}: no program listens" in said.out
    )
    assert f"row {WRONG + 2} (street-12): {bench[WRONG].url}: the chip is an esp32s3" in said.out
    assert "done: 18, failed: 2" in said.out and "chmod 600" in said.err

    check_boards(bench, good, out)
    check_no_secret(said.out + said.err, out)

    bench[UNPLUGGED] = MockBoard(kind(UNPLUGGED), UNPLUGGED)
    bench[WRONG].close()
    bench[WRONG] = MockBoard(kind(WRONG), WRONG)
    changed = [board.flash.changed for board in bench]
    before = secrets_of(out)
    again = ("--csv", path, "--ports", ports_of(bench), "--out", out, "--json")
    assert call(*again) == 0
    rows = {row["node"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert [rows[f"street-{i:02}"]["state"] for i in good] == ["skipped"] * 18
    assert rows["street-07"]["state"] == rows["street-12"]["state"] == "done"
    assert [bench[i].flash.changed for i in good] == [changed[i] for i in good]
    after = secrets_of(out)
    for secret in (*before.values(), *after.values()):
        secret.pop("done")
    assert after == before and len(inventory(out)) == COUNT


def check_boards(bench: list[MockBoard], good: list[int], out: Path) -> None:
    """Each board has its own row, and secrets that no other board has."""
    secrets = secrets_of(out)
    assert stat.S_IMODE((out / "secrets.json").stat().st_mode) == 0o600
    seen: set[str] = set()
    authority = ssl.PEM_cert_to_DER_cert((out / "ca.pem").read_text())
    for i in good:
        found, name = nvs(bytes(bench[i].flash.data)), f"street-{i:02}"
        assert found.get_blob("tallypost", "id").decode() == name
        config = json.loads(found.get_blob("tallypost", "config"))
        assert config.pop("link", "mqtt") == ("both" if i % 2 else "mqtt")
        assert config == {
            "site": f"Löwenplatz {i}", "detector": "beam", "interval_min": 5, "mqtt_host": "b",
            "mqtt_port": 8883, "mqtt_tls": 1,
        }  # fmt: skip
        secret = found.get_blob("tallypost", "mqtt_pass").decode()
        assert secret == secrets[name]["mqtt_pass"]
        row = inventory(out)[name]
        assert row["mac"] == f"24:0a:c4:00:00:{i:02x}" and row["chip"] == "esp32"
        assert row["site"] == f"Löwenplatz {i}" and row["version"] and row["time"].endswith("Z")
        assert found.get_blob("tallypost", "mqtt_ca") == authority
        assert len(found.get_blob("tallypost", "fleet_key")) == 384
        assert found.get_blob("tallypost", "mac_key").hex() == secrets[name]["mac_key"]
        assert found.get_i32("tallypost", "cfg_serial") > 0
        seen |= {secret, secrets[name]["mac_key"]}
        if i % 2:
            key = found.get_blob("tallypost", "lora_app_key").hex()
            assert key == secrets[name]["app_key"]
            assert row["dev_eui"] == f"240ac4fffe0000{i:02x}" and row["join_eui"] == JOIN_EUI
            assert found.get_blob("tallypost", "lora_dev_eui").hex() == row["dev_eui"]
            seen.add(key)
        else:
            assert row["dev_eui"] == "" and "lora_app_key" not in found.keys("tallypost")
    assert len(seen) == 2 * len(good) + sum(i % 2 for i in good)


def check_no_secret(said: str, out: Path) -> None:
    """Terminal, inventory and access list show no secret."""
    public = (
        said + (out / "inventory.csv").read_text() + (out / "broker" / "mosquitto.acl").read_text()
    )
    for secret in secrets_of(out).values():
        assert secret["mqtt_pass"] not in public and secret["mac_key"] not in public
        assert not secret["app_key"] or secret["app_key"] not in public.lower()
    assert WIFI not in public


def test_three_ports_take_the_boards_of_a_box_in_turn(
    bench: list[MockBoard], tmp_path: Path, capsys: Capture
) -> None:
    path, out = table(tmp_path / "boards.csv", *rows_of(5)), tmp_path / "out"
    assert call("--csv", path, "--ports", ports_of(bench[:3]), "--out", out) == 0
    assert "done: 3, waiting: 2" in (said := capsys.readouterr().out) and "Plug in" in said
    # The first board was not changed by mistake.
    assert call("--csv", path, "--ports", ports_of([bench[0], bench[4]]), "--out", out) == 1
    assert "row 5 (street-03): " in (said := capsys.readouterr().out)
    assert "the inventory has this board as node 'street-00'" in said
    assert call("--csv", path, "--ports", bench[3].url, "--out", out) == 0
    assert set(inventory(out)) == {f"street-{i:02}" for i in range(5)}
    assert nvs(bytes(bench[0].flash.data)).get_blob("tallypost", "id") == b"street-00"


def test_a_dry_run_writes_nothing_anywhere(
    bench: list[MockBoard], tmp_path: Path, capsys: Capture
) -> None:
    path, out = table(tmp_path / "boards.csv", *rows_of(3)), tmp_path / "out"
    words = ("--csv", path, "--ports", ports_of(bench[:3]), "--out", out, "--dry-run", "--json")
    assert call(*words) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)["rows"]} == {"checked"}
    assert not out.exists() and [board.flash.changed for board in bench[:3]] == [0, 0, 0]


def test_a_single_board_has_the_same_inventory(bench: list[MockBoard], tmp_path: Path) -> None:
    out = tmp_path / "out"
    lora = ("--join-eui", JOIN_EUI, "--board", kind(1))
    words = ("--port", bench[1].url, "--node", "n1", "--out", out, *lora)
    assert call(*words) == 0
    made = secrets_of(out)["n1"]
    assert inventory(out)["n1"]["dev_eui"] == "240ac4fffe000001" and len(made["app_key"]) == 32
    assert call(*words) == 0, "the same command again"
    assert secrets_of(out)["n1"] == made
    other = ("--port", bench[1].url, "--node", "n2", "--out", out, "--board", kind(1))
    assert call(*other) == 1
    assert call(*other, "--log", "erase") == 0
    assert "n1" not in (out / "broker" / "mosquitto.acl").read_text(), (
        "the board is another node now"
    )


def test_a_pattern_takes_ports_by_their_number(tmp_path: Path, capsys: Capture) -> None:
    for number in (10, 9, 1):
        (tmp_path / f"ttyUSB{number}").touch()
    path = table(tmp_path / "boards.csv", *rows_of(3))
    words = ("--csv", path, "--port-pattern", tmp_path / "ttyUSB*", "--out", tmp_path / "out")
    assert call(*words, "--json", "--dry-run") == 1
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["rows"]
    assert [Path(row["port"]).name for row in rows] == ["ttyUSB1", "ttyUSB9", "ttyUSB10"]


LORA = ("--port", "p", "--node", "n", "--board", "lilygo_t3_v1_6_1", "--out", "@o")


@pytest.mark.parametrize(
    ("words", "text"),
    (
        (("--csv", "@b.csv", "--ports", "p"), "--csv needs --out"),
        (("--csv", "@b.csv", "--out", "@o"), "no port was given"),
        (("--csv", "@b.csv", "--out", "@o", "--ports", "p,p"), "names a port twice"),
        (("--csv", "@b.csv", "--out", "@o", "--port-pattern", "@tty*"), "no port matches"),
        (("--csv", "@b.csv", "--out", "@o", "--node", "n"), "--csv and --node exclude each other"),
        (("--csv", "@gone", "--out", "@o", "--ports", "p"), "gone: No such file"),
        (("--port", "p", "--node", "n", "--join-eui", JOIN_EUI), "--join-eui needs --out"),
        ((*LORA, "--join-eui", "7"), "Use 16 hexadecimal digits."),
        (("--port", "p", "--node", "n", "--join-eui", JOIN_EUI, "--out", "@o"), "has no LoRaWAN"),
        ((*LORA, "--set", "link=both"), "link = both: the node has no LoRaWAN keys"),
        (
            ("--port", "p", "--node", "n", "--board", "esp32c3_rak3172", "--out", "@o"),
            "esp32c3_rak3172 does not support the detector 'ld2451'. Set detector to one of b",
        ),
        (
            ("--port", "p", "--node", "n", "--out", "@o", "--secrets-out", "@s"),
            "the folder of --out has a file",
        ),
    ),
)
def test_wrong_usage_is_one_line(
    words: tuple[str, ...], text: str, tmp_path: Path, capsys: Capture
) -> None:
    table(tmp_path / "b.csv", *rows_of(2)).chmod(0o600)
    assert call(*(word.replace("@", f"{tmp_path}/") for word in words)) in (1, 2)
    said = capsys.readouterr()
    assert said.out == "" and text in said.err and said.err.count("\n") == 1, said.err
    assert not (tmp_path / "o").exists()


def test_records_that_are_damaged_are_named(tmp_path: Path, capsys: Capture) -> None:
    path, out = table(tmp_path / "b.csv", *rows_of(2)), tmp_path / "out"
    out.mkdir()
    for name, text in (
        ("inventory.csv", "node,mac\nx,y\n"),
        ("inventory.csv", "node,mac,chip,board,site,dev_eui,join_eui,time,version\nx\n"),
        ("inventory.csv", "\xff"),
        ("secrets.json", "[1]"),
        ("secrets.json", '{"n": {"mqtt_user": "u"}}'),
    ):
        (out / name).write_text(text, encoding="latin-1")
        assert call("--csv", path, "--ports", "p", "--out", out) == 1
        assert f"{out / name}" in capsys.readouterr().err
        (out / name).unlink()
