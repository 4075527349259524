"""The folder of every board is complete. Its code and its table agree."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from simulator.run.plans.sensors import SENSORS
from simulator.world.lorawan.site import CHIPS as EMULATED
from tallypost.building import board_image, build
from tallypost.faults import ToolError
from tallypost.hardware import board_table
from tallypost.hardware import boards
from tallypost.hardware.chips import CHIPS
from tallypost.provisioning import settings

ROOT = Path(__file__).resolve().parents[3]
LINES = {
    "_CS": "cs", "_RESET": "reset", "_DIO0": "dio0", "_DIO1": "dio1", "_BUSY": "busy",
    "_SWITCH": "switch", "_TX": "tx", "_RX": "rx",
}  # fmt: skip
NO_PINS = ("_HZ", "_BAUD", "_MS")


def constants(name: str) -> dict[str, Any]:
    """The named constants of board.py, such as pins."""
    found: dict[str, Any] = {}
    for node in ast.parse((ROOT / "boards" / name / "board.py").read_text()).body:
        if not isinstance(node, ast.Assign):
            continue
        value = ast.literal_eval(node.value)
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            found |= {
                part.id: v for part, v in zip(target.elts, value) if isinstance(part, ast.Name)
            }
        elif isinstance(target, ast.Name):
            found[target.id] = value
    return found


def pins(name: str) -> list[int]:
    used: list[int] = []
    for key, value in constants(name).items():
        if not key.endswith(NO_PINS):
            used += value if isinstance(value, tuple) else [value]
    return used


@pytest.fixture(params=boards.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_six_boards_are_there() -> None:
    assert set(boards.names()) >= {
        "esp32_generic", "heltec_wifi_lora_32_v3", "lilygo_t3_v1_6_1", "xiao_esp32s3_wio_sx1262",
        "esp32c3_rak3172", "esp32_wrover",
    }  # fmt: skip


def test_a_folder_has_all_its_files(name: str) -> None:
    for file in (*boards.FILES, "README.md", "wiring.svg", "wiring.de.svg"):
        assert (ROOT / "boards" / name / file).is_file(), file
    assert f'NAME = "{name}"' in (ROOT / "boards" / name / "board.py").read_text()


def test_code_and_table_name_the_same_pins(name: str) -> None:
    board, code = boards.load(name), constants(name)
    assert code["_BEAMS"] == board.beams
    by_code = {line: code[key] for key, line in LINES.items() if key in code}
    lines = {**board.radio, **board.modem}
    assert by_code == {line: pin for line, pin in lines.items() if isinstance(pin, int)}
    assert board.radio.get("chip", EMULATED[0]) in EMULATED
    if "_UART" in code:
        directions = {wire.pin: wire.direction for wire in board.wiring if wire.bus == "radar"}
        assert directions == {code["_UART"][0]: "out", code["_UART"][1]: "in"}


def test_every_pin_is_in_the_wiring_once_and_has_a_reason(name: str) -> None:
    wired = [wire.pin for wire in boards.load(name).wiring]
    used = pins(name)
    assert sorted(wired) == sorted(used) == sorted(set(used))
    assert all(len(wire.why) > 15 for wire in boards.load(name).wiring)


def test_the_image_keeps_its_budget_and_has_what_every_board_has(name: str) -> None:
    built = build.build(name)
    assert board_image.app_bytes(built.manifest) <= boards.load(name).budget["mpy_bytes"]
    assert {"a/board.mpy", "a/node.mpy", "a/build.mpy"} <= set(built.manifest["files"])


def test_the_ring_is_a_megabyte_of_its_own(name: str) -> None:
    board = boards.load(name)
    ring, vfs = board.partition("ring"), board.partition("vfs")
    assert ring.size == 1 << 20 and vfs.end <= ring.offset and ring.end <= board.flash_size


def test_the_detectors_are_those_of_the_firmware() -> None:
    [choices] = [row[2] for row in settings.table() if row[0] == "detector"]
    assert set(choices) == set(board_table.DETECTORS) == set(SENSORS)


def test_a_board_lists_every_detector_that_its_wires_and_its_chip_allow(name: str) -> None:
    board = boards.load(name)
    buses = {wire.bus for wire in board.wiring}
    possible = {
        detector
        for detector, bus in board_table.DETECTORS.items()
        if bus in buses
        and (detector != board_table.PULSE_DETECTOR or CHIPS[board.chip].pulse_counter)
    }
    assert set(board.features.detectors) == possible


# --- a folder that is added


def copied(tmp_path: Path, name: str, new: str) -> Path:
    """All boards, and `name` once more as `new`."""
    shutil.copytree(ROOT / "boards", tmp_path / "boards")
    folder = tmp_path / "boards" / new
    shutil.copytree(ROOT / "boards" / name, folder)
    for file in ("board.toml", "board.py"):
        text = (folder / file).read_text()
        (folder / file).write_text(text.replace(f'"{name}"', f'"{new}"'))
    return folder


def test_a_copied_folder_is_a_board_with_nothing_else_named(tmp_path: Path) -> None:
    copied(tmp_path, "lilygo_t3_v1_6_1", "at_the_bridge")
    for folder in ("firmware", "lib", ".build/third_party"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert "at_the_bridge" in boards.names(tmp_path)
    built = build.build("at_the_bridge", root=tmp_path)
    assert built.manifest["board"] == "at_the_bridge"
    assert b"at_the_bridge" in built.flash.read_bytes()


WIRE = '[[wiring]]\npin = {}\nbus = "led"\ndirection = "out"\nto = "x"\nwhy = "y"\n'
MISSING = "the key is missing, expected: "
VALUE = "the value is "
DEFECTS = (
    ('name = "b"', 'name = "c"', "name: the value is 'c', expected: 'b'"),
    ('name = "b"', "", f"name: {MISSING}str. Correct this key, then run the same command again."),
    ('title = "', 'title = "" #', "title: the value is empty"),
    ('chip = "esp32"', 'chip = "esp99"', "chip: the value is 'esp99', expected: esp32, esp32s3,"),
    ("flash_mb = 4", 'flash_mb = "4"', "flash_mb: the value is '4', expected: int"),
    ("flash_mb = 4", "flash_mb = true", "flash_mb: the value is True, expected: int"),
    ("flash_mb = 4", "flash_mb = 5", "flash_mb: the value is 5, expected: 2, 4, 8, 16, 32"),
    ("flash_mb = 4", "flash_mb = 64", "flash_mb: the value is 64, expected: 2..32"),
    ("beams = [13, 14]", "beams = [13]", "beams: the value is [13], expected: the GPIO of light"),
    ("beams = [13, 14]", "beams = [13, 15]", "beams: GPIO 15 has no row with bus = 'beams'"),
    ("notes = [", "notes = [4,", "notes: the value is [4,"),
    ("notes = [", "colour = 4\nnotes = [", "colour: this key is unknown. Correct a typing error"),
    ("offset = 0x1000", "", f"micropython.offset: {MISSING}int"),
    ("offset = 0x1000", "offset = 0", f"micropython.offset: {VALUE}0x0, expected: 0x1000, where"),
    ('version = "1.28.0"', 'version = "1.28"', f"micropython.version: {VALUE}'1.28', expected: 1"),
    ('version = "1.28.0"', 'version = "1.27.0"', f"micropython.file: {VALUE}'ESP32_GENERIC-2026"),
    ("v1.28.0.bin", "v1.28.0.zip", "micropython.file: the value is "),
    ("https://", "ftp://", "micropython.url: the value is 'ftp://"),
    ('sha256 = "c', 'sha256 = "C', "micropython.sha256: the value is 'C"),
    ("wifi = true", "wifi = 1", "features.wifi: the value is 1, expected: bool"),
    ("lorawan = true", "lorawan = false", "features.lorawan: the value is false, but there is a"),
    ('"ld2450"', '"ld9"', "features.detectors: the value is 'ld9', expected: ld2451, ld2450"),
    ('"ld2450"', '"ld2451"', "features.detectors: the value is ['ld2451', 'ld2451'"),
    (
        'chip = "sx1276"',
        'chip = "sx1"',
        "radio.chip: the value is 'sx1', expected: sx1262, sx1276",
    ),
    ("dio0 = 26", "dio0 = 27.5", "radio.dio0: the value is 27.5, expected: int"),
    ("dio0 = 26", "dio0 = 2", "radio: GPIO 2 has no row with bus = 'radio'"),
    ("[budget]", '[modem]\ndialect = "rui3"\n[budget]', "modem: a board has either [radio] or"),
    ("mpy_bytes = 163840", "mpy_bytes = 0", "budget.mpy_bytes: the value is 0, expected: 1.."),
    ("gc_free_bytes", "gc_fee_bytes", f"budget.gc_free_bytes: {MISSING}int"),
    (
        "mpy_bytes = 163840",
        "mpy_bytes = 1048577",
        "budget.mpy_bytes: the value is 1048577, at most 1048576 fits: the partition 'vfs'",
    ),
    (
        "idf_largest_bytes = 17000",
        "idf_largest_bytes = 20481",
        "budget.idf_largest_bytes: the value is 20481, at most 20480 fits: idf_free_bytes",
    ),
    (
        "idf_largest_bytes = 17000",
        "idf_largest_bytes = 16999",
        "budget.idf_largest_bytes: the value is 16999, but TLS needs a block of 17000 bytes",
    ),
    (
        "gc_free_bytes = 8192",
        "gc_free_bytes = 144282",
        "budget.gc_free_bytes: the value is 144282,"
        " at most 144281 fits: what idf_free_bytes leaves of the 164761 bytes that the esp32",
    ),
    ('bus = "led"', 'bus = "bell"', "wiring[12].bus: the value is 'bell', expected: radar"),
    ("pin = 25", "pin = 34", "wiring[12].pin: GPIO 34 cannot be used for LED on the board: it is"),
    ("pin = 25", "pin = 26", "wiring[12].pin: GPIO 26 is already wired to SX1276 DIO0"),
    ("pin = 25", "pin = 24", "GPIO 24 cannot be used for LED on the board: the esp32 has no such"),
    ("pin = 25", "pin = 8", "the flash memory is connected to it"),
    ("pin = 25", "pin = 3", "it belongs to the console, UART0"),
    ("[features]", WIRE.format(12) + "[features]", "the chip reads it at reset (strapping)"),
    ("[features]", WIRE.format(0) + 'colour = "red"\n[features]', "wiring[1].colour: this key is"),
    ("[[wiring]]\npin = 13", "[[wiring]]\npin = 35", "it has no pull-up, which a light barrier"),
    ("flash_mb = 4", "flash_mb = 2", "the partitions end at 0x400000, the flash ends at 0x200000"),
    ("flash_mb = 4", "flash_mb =", "board.toml: Invalid value"),
)


@pytest.mark.parametrize(("old", "new", "text"), DEFECTS)
def test_a_defect_is_refused_by_file_and_key(
    old: str, new: str, text: str, tmp_path: Path
) -> None:
    folder = copied(tmp_path, "lilygo_t3_v1_6_1", "b")
    toml = folder / "board.toml"
    before = toml.read_text()
    assert old in before
    toml.write_text(before.replace(old, new, 1))
    with pytest.raises(ToolError, match=re.escape(text)) as caught:
        boards.load("b", tmp_path)
    assert "boards/b/" in caught.value.what and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    (
        ('detectors = ["beam",', 'detectors = ["doppler",', "'doppler' needs a pulse counter"),
        ('detectors = ["beam",', 'detectors = ["ld2451",', "'ld2451' needs wires of the bus"),
        ("[modem]", "[modems]", "modems: this key is unknown"),
        ("pin = 10", "pin = 18", "it belongs to USB"),
        (
            'dialect = "rui3"',
            'dialect = "rui"',
            "modem.dialect: the value is 'rui', expected: rui3",
        ),
    ),
)
def test_a_chip_s_limits_are_kept(old: str, new: str, text: str, tmp_path: Path) -> None:
    folder = copied(tmp_path, "esp32c3_rak3172", "b")
    toml = folder / "board.toml"
    toml.write_text(toml.read_text().replace(old, new, 1))
    with pytest.raises(ToolError, match=re.escape(text)):
        boards.load("b", tmp_path)


@pytest.mark.parametrize("version", ("1.24.9", "1.30.0"))
def test_a_version_that_nobody_tested_is_refused(version: str, tmp_path: Path) -> None:
    toml = copied(tmp_path, "lilygo_t3_v1_6_1", "b") / "board.toml"
    toml.write_text(toml.read_text().replace("1.28.0", version))
    with pytest.raises(ToolError, match=f"the value is '{version}', expected: 1.25 to 1.29"):
        boards.load("b", tmp_path)


def test_memory_outside_the_chip_is_not_counted_in_its_budget(tmp_path: Path) -> None:
    toml = copied(tmp_path, "esp32_generic", "b") / "board.toml"
    text = toml.read_text().replace("gc_free_bytes = 8192", "gc_free_bytes = 1048576")
    toml.write_text(text)
    with pytest.raises(ToolError, match="budget.gc_free_bytes"):
        boards.load("b", tmp_path)
    toml.write_text(text.replace("flash_mb = 4", "flash_mb = 4\npsram_mb = 8"))
    assert boards.load("b", tmp_path).psram_mb == 8


def test_a_doppler_module_needs_a_micropython_with_a_pulse_counter(tmp_path: Path) -> None:
    toml = copied(tmp_path, "esp32_generic", "b") / "board.toml"
    toml.write_text(toml.read_text().replace("1.28.0", "1.25.0"))
    with pytest.raises(ToolError, match="micropython.version: .* pulse counter from version 1.26"):
        boards.load("b", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    (
        (
            "ring,      data, 0x40",
            "ring,      data, 0x41",
            "'ring' has type 1/0x41, expected: 1/0x40",
        ),
        ("ring,  ", "rung,  ", "the partition 'ring' is missing"),
        ("0x300000", "0x2F0000", "'ring' at 0x2f0000 overlaps the part that ends at 0x300000"),
    ),
)
def test_bad_partitions_are_refused(old: str, new: str, text: str, tmp_path: Path) -> None:
    path = copied(tmp_path, "esp32_generic", "b") / "partitions.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ToolError, match=text) as caught:
        boards.load("b", tmp_path)
    assert "boards/b/partitions.csv" in caught.value.what


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (copied(tmp_path, "esp32_generic", "b") / "partitions.csv").unlink()
    with pytest.raises(
        ToolError, match="boards/b/partitions.csv: no such file. Add it: a board needs"
    ):
        boards.load("b", tmp_path)
