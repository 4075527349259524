"""`tallypost wiring`: pictures agree with the tables and fit their paper, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.tools import golden_output

from tallypost import i18n
from tallypost.cli import main
from tallypost.hardware import board_table
from tallypost.hardware import boards
from tallypost.hardware import wiring
from tallypost.hardware import wiring_svg

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=boards.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=i18n.LANGUAGES)
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    i18n.use(request.param)
    yield str(request.param)
    i18n.use("en")


def test_the_picture_agrees_with_the_table(name: str, language: str) -> None:
    board = boards.load(name)
    path = board.path / wiring.picture_name()
    drawn = wiring_svg.picture(board)
    assert path.read_text() == drawn, f"tallypost wiring --lang {language} --board {name}"


def test_the_picture_shows_every_pin_and_fits_its_paper(name: str, language: str) -> None:
    board = boards.load(name)
    svg = ElementTree.fromstring(wiring_svg.picture(board))
    width, height = int(svg.attrib["width"]), int(svg.attrib["height"])
    texts = [(text.text or "", text.attrib) for text in svg.iter(f"{SVG}text")]
    shown = [text for text, _ in texts]
    for wire in board.wiring:
        assert f"GPIO {wire.pin}" in shown and i18n._(wire.to) in shown
    for note in board.notes:
        assert i18n._(note) in " ".join(shown)
    for text, at in texts:
        long = 0.6 * int(at["font-size"]) * len(text)  # of a wide face
        x = int(at["x"]) - {"start": 0, "middle": long / 2, "end": long}[at["text-anchor"]]
        assert 0 <= x and x + long <= width, text
        assert int(at["y"]) < height, text
    for wire in board.wiring:
        text = i18n._(wire.to)
        assert 0.6 * 13 * len(text) < 276, f"{text} does not fit into its box"


def test_lines_are_told_apart_without_colours() -> None:
    dashes = [dashes for _, dashes in wiring_svg.STYLES.values()]
    assert len(set(dashes)) == len(dashes) == len(board_table.BUSES)


def test_the_command_shows_the_table_and_writes_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.svg"
    assert main(["wiring", "--board", "esp32c3_rak3172", "--output", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "RAK3172 UART2_TX (PA2)" in out and f"picture: {path}" in err
    assert path.read_text().startswith("<svg ")
    assert main(["wiring", "--output", str(tmp_path / "no" / "w.svg")]) == 1
    assert "Name another file with --output." in capsys.readouterr().err
    assert wiring.TITLES.keys() == set(board_table.BUSES)


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_the_output_of_wiring_is_as_agreed(
    lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w.svg"
    words = ["wiring", "--lang", lang, "--board", "esp32_generic", "--output", str(path)]
    assert main(words) == 0
    captured = capsys.readouterr()
    text = f"{captured.out}--- stderr\n{captured.err}".replace(str(path), "FILE")
    golden_output.check(lang, "wiring", text)
