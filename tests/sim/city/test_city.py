"""`make city`, and CITY.md: each of its commands is run, in their order, in one folder."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.tidy.source import ROOT

from tallypost.backend.stores.reading import open_reader
from tallypost.locking import locked

TEXT = (ROOT / "CITY.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^    ((?:make|mkdir|cp|\.venv/bin/tallypost) .*)$", re.MULTILINE)
NODES = 9  # of ten: one is mounted at 6 o'clock
HOURS = 1
TOOLS = str(ROOT / "tools")
LIMIT_S = 400


def shell(line: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        line, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "LANG": "C.UTF-8", "PYTHONPATH": TOOLS},
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done


def in_folder(line: str, folder: Path) -> str:
    """A command of the page, with its folders below `folder` and the Python of the tests."""
    line = line.replace("/tmp/city", f"{folder}/city").replace("my-city", f"{folder}/my-city")
    if line.startswith("make"):  # the command that make would run, without its set-up
        line = shell(f"make -n {line.removeprefix('make ')}").stdout.splitlines()[-1]
    programs = {"tallypost": f"{sys.executable} -m tallypost", "python": sys.executable}
    return re.sub(r"\.venv/bin/(tallypost|python)", lambda found: programs[found[1]], line)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All commands of the page have been run here. Workers of one run share it."""
    base = tmp_path_factory.getbasetemp()
    found = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "municipality"
    lines = COMMAND.findall(TEXT)
    assert len(lines) >= 9 and lines[0].startswith("make city ONCE=1")
    with locked(found.with_suffix(".lock")):
        if not (found / "done").exists():
            found.mkdir()  # it fails if another worker has failed before
            for line in lines:
                shell(in_folder(line, found))
            (found / "done").touch()
    return found


def test_each_interval_of_each_node_is_in_the_database(folder: Path) -> None:
    with open_reader(folder / "city/tallypost.sqlite") as reader:
        numbers = {
            node.node: len(list(reader.intervals(node.node))) for node in reader.nodes()
        }  # fmt: skip
    assert len(numbers) == NODES and set(numbers.values()) == {4 * HOURS}


def test_exports_and_pages_have_the_counts_of_the_database(folder: Path) -> None:
    with open_reader(folder / "city/tallypost.sqlite") as reader:
        bodies = [one.body for one in reader.intervals("radar-1")]
    counted = sum(body["counts"][way]["car"] for body in bodies for way in ("forward", "backward"))
    text = (folder / "city/exports/loewenplatz.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert counted > 0 and sum(int(row["car"] or 0) for row in rows) == counted
    page = (folder / "city/pages/en/loewenplatz/index.html").read_text()
    assert re.search(rf"Until 01:00: .*\b{counted} cars?\b", page)
    assert "Example: city and numbers are simulated." in page
    sites = json.loads((folder / "city/pages/data/sites.geojson").read_text())
    assert len(sites["features"]) == 10


def test_the_page_of_a_city_leads_to_pages_data_and_signs(folder: Path) -> None:
    mine = folder / "my-city"
    assert (mine / "public/index.html").is_file() and (mine / "public/wehr/index.html").is_file()
    assert (mine / "wehr.csv").read_text().count("\n") == 1 + 96 * 2
    assert len(list((mine / "signs").glob("*.svg"))) == 10


def test_a_second_run_does_not_mix_with_the_first_one(folder: Path) -> None:
    line = in_folder(COMMAND.findall(TEXT)[0], folder)
    done = subprocess.run(shlex.split(line), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Name another folder with OUT=" in done.stderr
