"""The files of `backend/deploy`: each is read, or run, by the program that it is for."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from simulator.load.cluster import users, version
from simulator.load.nodes.node import Login
from tests.support.runs.running import ROOT

from tallypost.backend import listen
from tallypost.backend.service import settings
from tallypost.inventory import broker_files

DEPLOY = ROOT / "tools" / "tallypost" / "backend" / "deploy"
EXPOSURE_MAX = {"tallypost-listen.service": 2.0, "tallypost-backup.service": 3.0}  # of 10
UNITS = ("tallypost-listen.service", "tallypost-backup.service", "tallypost-backup.timer")


def program(name: str) -> str:
    home = Path.home() / "go" / "bin"
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:{home}")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def run(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **more)


def all_keys_in_use() -> str:
    """The settings with the keys that stand in comments, too."""
    return re.sub(r"^# (\w+ = )", r"\1", (DEPLOY / "tallypost.toml").read_text(), flags=re.M)


def test_every_setting_is_explained_and_accepted(tmp_path: Path) -> None:
    lines = (DEPLOY / "tallypost.toml").read_text().splitlines()
    for key in settings.KEYS:
        places = [i for i, line in enumerate(lines) if re.match(rf"(# )?{key} = ", line)]
        assert len(places) == 1 and lines[places[0] - 1].startswith("# "), key
    path = tmp_path / "tallypost.toml"
    path.write_text(all_keys_in_use())
    assert {key for keys in tomllib.loads(path.read_text()).values() for key in keys} == {
        *settings.KEYS
    }
    verb = argparse.ArgumentParser()
    listen.options(verb)
    args = verb.parse_args(["--config", str(path)])
    settings.merged(args, {})
    assert (args.port, args.log, args.lorawan) == (8883, "text", "chirpstack")


def test_the_configuration_of_mosquitto_is_the_generated_one() -> None:
    text = broker_files.merged_conf("", {8883: True})
    assert (DEPLOY / "mosquitto.conf").read_text() == text


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for unit in UNITS:
        text = (DEPLOY / unit).read_text()
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M)
        (tmp_path / unit).write_text(text)
    found = run(analyze, "verify", *(tmp_path / unit for unit in UNITS))
    assert (found.returncode, found.stderr) == (0, "")
    for unit, limit in EXPOSURE_MAX.items():
        said = run(analyze, "security", "--offline=yes", DEPLOY / unit).stdout
        level = re.search(r"exposure level for \S+ ([0-9.]+)", said)
        assert level and float(level[1]) <= limit, said[-300:]


def test_the_unit_starts_the_service_with_its_settings() -> None:
    text = (DEPLOY / "tallypost-listen.service").read_text()
    [line] = re.findall(r"^ExecStart=\S+/tallypost listen (.*)$", text, flags=re.M)
    verb = argparse.ArgumentParser()
    listen.options(verb)
    assert verb.parse_args(line.split()).config == Path("/etc/tallypost/tallypost.toml")
    assert f"RestartPreventExitStatus={settings.BAD_CONFIG}\n" in text
    wait_s = tomllib.loads((DEPLOY / "tallypost.toml").read_text())["service"]["wait"]
    [limit_s] = re.findall(r"^TimeoutStartSec=(\d+)$", text, flags=re.M)
    assert wait_s < int(limit_s), "systemd would end it while it waits for the broker"


def test_the_timer_has_its_day(tmp_path: Path) -> None:
    [when] = re.findall(r"^OnCalendar=(.*)$", (DEPLOY / UNITS[2]).read_text(), flags=re.M)
    found = run(program("systemd-analyze"), "calendar", when)
    assert found.returncode == 0, found.stderr


def test_logs_are_rotated(tmp_path: Path) -> None:
    text = (DEPLOY / "logrotate").read_text().replace("/var/log/tallypost", str(tmp_path))
    text = text.replace("su tallypost tallypost", "")
    rules = tmp_path / "rules"
    rules.write_text(text)
    rules.chmod(0o644)
    log = tmp_path / "listen.log"
    with open(log, "a") as still_open:
        still_open.write("old\n")
        still_open.flush()
        found = run(program("logrotate"), "-f", "-s", tmp_path / "state", rules)
        assert found.returncode == 0, found.stderr
        still_open.write("new\n")
    assert log.read_text() == "new\n"
    assert [path.read_text() for path in tmp_path.glob("listen.log-*")] == ["old\n"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in use: its newest row is in the WAL only."""
    program("sqlite3")
    path = tmp_path / "counts.sqlite"
    (tmp_path / "copies").mkdir()
    return path


def test_a_copy_of_a_database_in_use_is_whole(database: Path) -> None:
    copies = database.parent / "copies"
    old = copies / "counts-20200101T000000Z.sqlite"
    old.touch()
    os.utime(old, (time.time() - 40 * 86_400,) * 2)
    writer = sqlite3.connect(database)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (a)")
    writer.execute("INSERT INTO t VALUES (7)")
    writer.commit()
    found = run(DEPLOY / "backup.sh", database, copies)
    assert found.returncode == 0, found.stderr
    writer.close()
    [copy] = copies.iterdir()
    assert str(copy) == found.stdout.strip()
    with sqlite3.connect(copy) as db:
        assert db.execute("SELECT a FROM t").fetchall() == [(7,)]


def test_a_copy_that_fails_leaves_no_file(database: Path) -> None:
    copies = database.parent / "copies"
    database.write_bytes(b"no database " * 1000)
    found = run(DEPLOY / "backup.sh", database, copies)
    assert found.returncode != 0 and "not a database" in found.stderr
    assert list(copies.iterdir()) == []
    missing = run(DEPLOY / "backup.sh", database.parent / "other.sqlite", copies)
    assert missing.returncode == 1 and missing.stderr.count("\n") == 1


def test_nats_accepts_its_configuration(tmp_path: Path) -> None:
    nats = program("nats-server")
    text = (DEPLOY / "nats.conf").read_text()
    text = re.sub(r"  tls \{.*?\n  \}\n", "", text, flags=re.DOTALL)  # there is no certificate
    if version(nats) < (2, 15):
        text = text.replace("limits { default_max_consumers: -1 }", "")
    (tmp_path / "nats.conf").write_text(text)
    shutil.copy(DEPLOY / "nats-users.conf", tmp_path)
    routes = {f"NATS_ROUTE_{i}": f"nats-route://n{i}:6222" for i in (1, 2, 3)}
    env = os.environ | routes | {"NATS_NAME": "n1", "NATS_STORE": str(tmp_path / "store")}
    found = run(nats, "-t", "-c", tmp_path / "nats.conf", env=env)
    assert found.returncode == 0, found.stderr


def test_the_rights_of_a_node_are_those_of_the_example() -> None:
    made = users({"street-1": Login("street-1", "x")}, "tallypost/v1")
    example = (DEPLOY / "nats-users.conf").read_text()
    for subject in re.findall(r'"(tallypost\.v1[^"]*|\$MQTT[^"]*)"', made):
        assert f'"{subject}"' in example, subject


def test_containers_get_settings_that_exist() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    names = services["listen"]["environment"]
    known = {settings.PREFIX + key.upper() for key in settings.KEYS}
    assert names and set(names) <= known
    command = (DEPLOY / "Dockerfile").read_text().rpartition("ENTRYPOINT ")[2]
    assert "tallypost.toml" in command and "/etc/tallypost/tallypost.toml:ro" in str(services)
