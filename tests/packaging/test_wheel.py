"""The installed tool works without checkout, compiler, make, git, simulator and network."""

from __future__ import annotations

import gzip
import re
import subprocess
import zipfile
from dataclasses import replace
from email import message_from_string
from pathlib import Path

import pytest
from tests.packaging.installed import ROOT, TOOLS, Installed, build_package
from tests.tidy.source import files

from tallypost import cli
from tallypost.building import board_image
from tallypost.building.build import build
from tallypost.faults import ToolError
from tallypost.hardware import boards

VERSION = re.search('VERSION = "(.+)"', (ROOT / "firmware/core/version.py").read_text())
SIZE_MAX = 2 << 20
NEED_CHECKOUT = ("build", "replay")


def metadata(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return dict(message_from_string(archive.read(name).decode()))


def test_the_version_of_firmware_and_tool_is_one_number(wheel: Path, tool: Installed) -> None:
    assert VERSION and metadata(wheel)["Version"] == VERSION[1]
    assert tool("--version").stdout == f"tallypost {VERSION[1]}\n"
    lorawan = ROOT / "lib" / "wire" / "lorawan"
    assert f"- version: '{VERSION[1]}'" in (lorawan / "ttn/tallypost.yaml").read_text()
    assert f'version = "{VERSION[1]}"' in (lorawan / "chirpstack/tallypost.toml").read_text()


def test_the_wheel_holds_every_module_of_the_tool_and_runs_anywhere(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    ours = {str(path.relative_to(TOOLS)) for path in files("tools/tallypost/*")}
    ours = {name for name in ours if not name.endswith(".md")}
    assert len(ours) > 60 and ours - inside == set()
    assert not [name for name in inside if "simulator" in name or "__pycache__" in name]
    assert wheel.name.endswith("-py3-none-any.whl") and wheel.stat().st_size < SIZE_MAX


def test_the_wheel_needs_no_package_of_build_and_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        found = message_from_string(archive.read(name).decode()).get_all("Requires-Dist") or []
    base = {re.split(r"[<>=;\[]", one)[0].strip() for one in found if "extra ==" not in one}
    assert base == {
        "esptool", "esp-idf-nvs-partition-gen", "pyserial", "rich", "segno", "polib", "paho-mqtt",
        "jsonschema-rs", "orjson", "cryptography", "littlefs-python",
    }  # fmt: skip


def test_help_lists_every_verb(tool: Installed) -> None:
    ran = tool("--help")
    assert ran.returncode == 0 and ran.stderr == ""
    assert [verb for verb in cli.VERBS if f"\n    {verb}" not in ran.stdout] == []


@pytest.mark.parametrize("verb", [verb for verb in cli.VERBS if verb != "replay"])
def test_each_verb_explains_itself(verb: str, tool: Installed) -> None:
    ran = tool(verb, "--help")
    assert (ran.returncode, ran.stderr) == (0, "") and f"tallypost {verb}" in ran.stdout


@pytest.mark.parametrize("verb", NEED_CHECKOUT)
def test_a_verb_that_needs_a_checkout_says_so(verb: str, tool: Installed) -> None:
    ran = tool(verb)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr == (
        f"error: tallypost {verb} needs a checkout of the project. In a checkout run: make setup,"
        f" then .venv/bin/tallypost {verb}\n"
    )


def test_german_is_installed_as_well(tool: Installed) -> None:
    assert tool("--help", LANG="de_DE.UTF-8").stdout.startswith("Aufruf: tallypost")
    assert tool("--help", "--lang", "en", LANG="de_DE.UTF-8").stdout.startswith("usage: ")


@pytest.mark.parametrize("encoding", ("latin-1", "ascii"))
def test_a_terminal_that_lacks_characters_gets_no_traceback(
    encoding: str, tool: Installed
) -> None:
    for words in (("doctor",), ("wiring", "--output", "/dev/null"), ("flash", "--board", "Łódź")):
        ran = tool(*words, "--lang", "de", LANG="C", PYTHONIOENCODING=encoding)
        assert ran.returncode in (0, 1, 2) and "Traceback" not in ran.stderr, ran.stderr
        assert ran.stdout or ran.stderr.count("\n") == 1


@pytest.mark.parametrize("name", boards.names())
def test_a_board_and_its_image_are_those_of_the_checkout(name: str, tool: Installed) -> None:
    data = tool.packages / "tallypost" / "data"
    assert boards.load(name, data).wiring == boards.load(name).wiring
    folder = data / board_image.IMAGES / name
    image = board_image.read(boards.load(name, data), folder)
    built = build(name)
    assert image.vfs == (built.folder / "vfs.bin").read_bytes()
    assert image.manifest == built.manifest


@pytest.mark.parametrize(
    "damage",
    (
        lambda folder: (folder / board_image.VFS).unlink(),
        lambda folder: (folder / board_image.VFS).write_bytes(gzip.compress(b"another one")),
        lambda folder: (folder / board_image.VFS).write_bytes(b"\x1f\x8b\x08 cut off"),
        lambda folder: (folder / board_image.MANIFEST).write_text("{}"),
        lambda folder: (folder / board_image.MANIFEST).write_text("{"),
    ),
)
def test_a_damaged_image_is_refused(damage: object, tmp_path: Path) -> None:
    board, built = boards.load("esp32_generic"), build("esp32_generic")
    folder = tmp_path / board.name
    board_image.write(folder, (built.folder / "vfs.bin").read_bytes(), built.manifest)
    assert board_image.read(board, folder).manifest == built.manifest
    damage(folder)  # type: ignore[operator]
    with pytest.raises(ToolError, match="the image is damaged or missing. Install the tool again"):
        board_image.read(board, folder)


def test_an_image_for_another_partition_table_is_refused(tmp_path: Path) -> None:
    board, built = boards.load("esp32_generic"), build("esp32_generic")
    board_image.write(tmp_path / "x", (built.folder / "vfs.bin").read_bytes(), built.manifest)
    other = replace(board, partitions=board.partitions[:-1])
    with pytest.raises(ToolError, match="damaged"):
        board_image.read(other, tmp_path / "x")


def test_pins_and_picture_of_a_board(tool: Installed) -> None:
    ran = tool("wiring", "--board", "esp32_generic")
    assert ran.returncode == 0 and "GPIO" in ran.stdout
    picture = tool.elsewhere / "wiring.svg"
    assert picture.read_text() == (ROOT / "boards/esp32_generic/wiring.svg").read_text()


def test_the_size_of_an_image_is_known_without_building_it(tool: Installed) -> None:
    ran = tool("size", "--board", "esp32_generic", "--json")
    assert ran.returncode == 0 and '"mpy_bytes"' in ran.stdout


def test_the_decoder_for_network_servers(tool: Installed, tmp_path: Path) -> None:
    source = ROOT / "lib" / "wire" / "lorawan"
    assert tool("decoder").stdout == (source / "decoder.js").read_text()
    ran = tool("decoder", "--out", tmp_path / "new")
    assert ran.returncode == 0, ran.stderr
    for path in (*source.glob("ttn/*"), *source.glob("chirpstack/*"), source / "decoder.js"):
        written = tmp_path / "new" / path.relative_to(source)
        assert written.read_bytes() == path.read_bytes()
    ran = tool("decoder", "--out", "/proc/no")
    assert ran.returncode == 1 and ran.stderr.count("\n") == 1 and "--out" in ran.stderr


def test_doctor_asks_for_no_compiler_and_no_environment(tool: Installed) -> None:
    ran = tool("doctor")
    assert "esptool" in ran.stdout and "make setup" not in ran.stdout, ran.stdout
    assert "missing" not in ran.stdout and ".venv" not in ran.stdout


def test_a_wheel_from_the_source_archive_holds_the_same(wheel: Path, tmp_path: Path) -> None:
    archive = build_package("sdist", TOOLS, tmp_path / "sdist")
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    [folder] = tmp_path.glob("tallypost-*")
    again = build_package("wheel", folder, tmp_path / "again")
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, int]:
    """The checksums of the files of the package."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            one.filename: one.CRC for one in archive.infolist() if "dist-info" not in one.filename
        }
