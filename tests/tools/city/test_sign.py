"""`tallypost sign`: the code on the pole leads to the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.tools.sites import site_files

from tallypost.cli import main

ADDRESS = "https://zaehlen.musterstadt.example"
PROGRAMS = ("rsvg-convert", "zbarimg")


def signs(folder: Path, *words: str) -> int:
    sites = site_files.write(folder)
    return main(["sign", "--sites", str(sites), "--out", str(folder / "signs"), *words])


def test_a_sign_says_what_is_counted_in_both_languages(tmp_path: Path) -> None:
    assert signs(tmp_path, "--address", f"{ADDRESS}/", "--size", "a5") == 0
    text = (tmp_path / "signs/loewenplatz-a5.svg").read_text()
    assert 'width="148mm"' in text
    text = " ".join(re.findall(r">([^<]+)<", text))
    assert "Wir zählen Fahrräder, Autos und schwere Fahrzeuge." in text
    assert "Keine Kamera." in text and "No camera." in text
    assert (
        "zaehlen.musterstadt.example/ loewenplatz/" in text
        and "verkehr@musterstadt.example" in text
    )
    assert "zu Fuß" in (tmp_path / "signs/wehr-a5.svg").read_text()


@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {' and '.join(PROGRAMS)}")
def test_a_camera_reads_the_address_of_the_page(tmp_path: Path) -> None:
    assert signs(tmp_path, "--address", ADDRESS, "--site", "wehr", "--pdf") == 0
    folder = tmp_path / "signs"
    assert (folder / "wehr-a6.pdf").read_bytes().startswith(b"%PDF")
    png = folder / "wehr.png"
    subprocess.run(["rsvg-convert", "-w", "600", "-o", png, folder / "wehr-a6.svg"], check=True)
    read = subprocess.run(
        ["zbarimg", "-q", "--raw", png], capture_output=True, text=True, check=True
    )
    assert read.stdout.strip() == f"{ADDRESS}/wehr/"
    assert not (folder / "loewenplatz-a6.svg").exists()


def test_a_sign_without_an_address_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert signs(tmp_path) == 2
    assert "address of the pages is missing" in capsys.readouterr().err
    assert signs(tmp_path, "--address", "zaehlen.example") == 2
