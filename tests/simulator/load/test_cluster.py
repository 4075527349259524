"""A small run at three NATS servers, with kill -9 of a server and a collector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simulator.load.__main__ import main
from simulator.load.city import CityError
from simulator.load.cluster import nats_server


def test_a_killed_member_and_collector_lose_and_double_nothing(tmp_path: Path) -> None:
    try:
        nats_server()
    except CityError as error:
        pytest.skip(str(error))
    path = tmp_path / "result.json"
    words = ("--cluster", "--collectors", "2", "--kills", "1", "--nodes", "6", "--backlog", "24")
    status = main([*words, "--json", str(path)])
    found = json.loads(path.read_text())
    assert (status, found["stored"], found["lost"], found["doubled"]) == (0, 144, 0, 0)
    assert found["connects"] > 6, "the nodes of the killed server have connected again"


def test_a_missing_server_is_one_line_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("PATH", "GOBIN", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("simulator.load.cluster.shutil.which", lambda *_a, **_k: None)
    assert main(["--cluster", "--nodes", "1", "--backlog", "1"]) == 2
    said = capsys.readouterr().err
    assert "go install" in said and said.count("\n") == 1
