"""The pages in Chromium: no error of axe-core, at three widths, light and dark, in all languages.

`SHOTS=folder` opens every page in every size, and keeps pictures to be looked at. Skipped by name
without Chromium, or without axe-core and puppeteer-core in .build/npm (.ci/run installs them).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.tidy.source import ROOT
from tests.tools.city import city

MODULES = ROOT / ".build/npm/node_modules"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHECKER = MODULES / "vnu-jar/build/dist/vnu.jar"
PATHS = ("index.html", "loewenplatz/index.html", "en/index.html", "en/wehr/index.html")
SIZES = ("320,light", "768,dark", "1440,light", "320,dark", "768,light", "1440,dark")
ALL = [f"{path},{size}" for path in PATHS for size in SIZES]
VIEWS = ALL if "SHOTS" in os.environ else [f"{p},{s}" for p, s in zip(PATHS * 2, SIZES)]
VIEWS += ["easy/wehr/index.html,320,light", "en/easy/index.html,320,dark"]
VIEWS += ["about/index.html,320,dark"]
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 31)"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "logo.svg").write_text(LOGO)
    city.build(folder, 'logo = "logo.svg"\nnotice = {de = "Beispiel", en = "Example"}\n')
    return folder / "out"


@pytest.fixture(scope="module")
def address(out: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None:
            """The test prints its own."""

    handler = functools.partial(Quiet, directory=str(out))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.skipif(
    not (CHROMIUM and (MODULES / "axe-core").exists() and (MODULES / "puppeteer-core").exists()),
    reason="needs chromium, and axe-core and puppeteer-core in .build/npm",
)
def test_each_view_is_without_barrier_and_without_third_party(address: str) -> None:
    folder = os.environ.get("SHOTS", "-")
    script = Path(__file__).with_name("browser.mjs")
    ran = subprocess.run(
        ["node", script, MODULES, CHROMIUM or "", address, folder, *VIEWS],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["view"] for one in found] == VIEWS
    for one in found:
        problems = {key: one[key] for key in ("axe", "foreign", "errors", "small") if one[key]}
        assert problems == {}, one["view"]
        assert one["over"] <= 0, one["view"]
        assert one["focus"] == "skip", one["view"]  # the first stop of the keyboard
        assert one["ground"] == GROUNDS[one["view"].rpartition(",")[2]], one["view"]


@pytest.mark.skipif(
    not (CHECKER.exists() and shutil.which("java")),
    reason="needs java, and vnu-jar in .build/npm",
)
def test_the_checker_of_the_w3c_finds_no_error(out: Path) -> None:
    ran = subprocess.run(
        ["java", "-jar", CHECKER, "--skip-non-html", out],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[:2000]
