"""Calls with one `--out`: several at the same time, and one whose rows changed meanwhile."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.boards.booted import nvs
from tests.support.boards.mock_board import MockBoard
from tests.tools.provisioning.test_provision_batch import (
    UNPLUGGED,
    WIFI,
    WRONG,
    bench,
    call,
    inventory,
    kind,
    ports_of,
    rows_of,
    secrets_of,
    table,
)
from tests.tools.provisioning.test_provision_board import state

__all__ = ("bench", "state")
Capture = pytest.CaptureFixture[str]


def test_a_row_that_changed_after_its_board_was_done_is_told(
    bench: list[MockBoard], tmp_path: Path, capsys: Capture
) -> None:
    rows, out = rows_of(2), tmp_path / "out"
    words = ("--csv", tmp_path / "b.csv", "--ports", ports_of(bench[:2]), "--out", out)
    table(tmp_path / "b.csv", *rows).chmod(0o600)
    assert call(*words) == 0
    assert WIFI not in (out / "secrets.json").read_text()
    rows[1] |= {"wifi_pass": "another one", "site": "Bridge"}
    del rows[1]["config.interval_min"]
    table(tmp_path / "b.csv", *({"config.interval_min": "", **row} for row in rows))
    changed = [board.flash.changed for board in bench]
    capsys.readouterr()
    assert call(*words) == 1
    said = capsys.readouterr().out
    assert "skipped: 1, changed: 1" in said
    assert (
        "row 3 (street-01): changed since its board was done: config.interval_min, site,"
        " wifi_pass. To write it, add --again." in said
    )
    assert [board.flash.changed for board in bench] == changed
    assert call(*words, "--again") == 0
    assert nvs(bytes(bench[1].flash.data)).get_blob("tallypost", "wifi_pass") == b"another one"
    capsys.readouterr()
    assert call(*words) == 0 and "skipped: 2" in capsys.readouterr().out


def test_a_changed_row_of_an_older_inventory_is_told(
    bench: list[MockBoard], tmp_path: Path, capsys: Capture
) -> None:
    rows, out = rows_of(2), tmp_path / "out"
    words = ("--csv", tmp_path / "b.csv", "--ports", ports_of(bench[:2]), "--out", out)
    table(tmp_path / "b.csv", *rows).chmod(0o600)
    assert call(*words) == 0
    old = {node: {k: v for k, v in one.items() if k != "done"} for node, one in
           secrets_of(out).items()}  # fmt: skip
    (out / "secrets.json").write_text(json.dumps(old))
    capsys.readouterr()
    assert call(*words) == 0 and "skipped: 2" in capsys.readouterr().out
    rows[0]["site"] = "Bridge"
    table(tmp_path / "b.csv", *rows)
    assert call(*words) == 1 and "was done: site. To write" in capsys.readouterr().out


def test_ten_calls_at_once_lose_nothing_of_each_other(
    bench: list[MockBoard], tmp_path: Path
) -> None:
    """Separate processes, because a lock of one process does not keep its own threads apart."""
    out, good = tmp_path / "out", [i for i in range(12) if i not in (UNPLUGGED, WRONG)][:10]
    program = "import sys; from tallypost.cli import main; sys.exit(main(sys.argv[1:]))"
    calls = [
        subprocess.Popen(
            [sys.executable, "-c", program, "provision", "--port", bench[i].url, "--node",
             f"street-{i:02}", "--out", str(out), "--board", kind(i), "--set", "mqtt_host=b"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )
        for i in good
    ]  # fmt: skip
    errors = [one.communicate()[1] for one in calls]
    assert [one.returncode for one in calls] == [0] * len(good), errors
    names = {f"street-{i:02}" for i in good}
    assert set(inventory(out)) == set(secrets_of(out)) == names
    acl = (out / "broker" / "mosquitto.acl").read_text()
    assert {
        line.split()[1] for line in acl.splitlines() if line.startswith("user street")
    } == names
    authority = ssl.PEM_cert_to_DER_cert((out / "ca.pem").read_text())
    for i in good:
        found, secret = nvs(bytes(bench[i].flash.data)), secrets_of(out)[f"street-{i:02}"]
        assert found.get_blob("tallypost", "mqtt_pass").decode() == secret["mqtt_pass"]
        assert found.get_blob("tallypost", "mqtt_ca") == authority
