"""`tallypost build`: the image has all files, it is always the same, bad sources are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.boards.flashing import files_of

from tallypost.building.sources.bundles import BUNDLES
from tallypost.building import image
from tallypost.building.board_image import app_bytes
from tallypost.building.build import build
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards

ROOT = Path(__file__).resolve().parents[3]
BOARD = "esp32_generic"
THIRD_PARTY = ".build/third_party"


def tree(folder: Path) -> Path:
    """A copy of the sources of an image, to be built and spoilt."""
    for name in ("firmware", "lib", "boards", THIRD_PARTY):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=leave)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tree(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def flash(root: Path) -> bytes:
    return build(BOARD, root=root).flash.read_bytes()


def mounted(flash: bytes) -> dict[str, bytes]:
    """Every file of the image's file system, found by the offsets in the CSV of the board."""
    at, size = 0x200000, 0x100000
    return {f"/{name}": data for name, data in files_of(flash[at : at + size]).items()}


def csv_rows() -> list[list[str]]:
    lines = (ROOT / "boards" / BOARD / "partitions.csv").read_text().splitlines()
    return [[f.strip() for f in line.split(",")] for line in lines if not line.startswith("#")]


def test_two_folders_give_the_same_bytes(flash: bytes, root: Path, tmp_path: Path) -> None:
    other = build(BOARD, root=tree(tmp_path / "a longer name"))
    assert other.flash.read_bytes() == flash
    one = json.loads((root / ".build" / BOARD / "manifest.json").read_text())
    assert one == other.manifest and str(tmp_path) not in json.dumps(one)


def test_no_path_of_the_machine_is_in_the_image(flash: bytes, root: Path) -> None:
    for path in (root, ROOT, Path.home()):
        assert len(str(path)) < 6 or str(path).encode() not in flash


def test_the_partition_table_says_what_the_csv_says(flash: bytes) -> None:
    rows = csv_rows()
    table = flash[0x8000:0x8C00]
    kinds = {"app": 0, "data": 1}
    subtypes = {"nvs": 2, "phy": 1, "factory": 0, "fat": 0x81, "0x40": 0x40}
    for i, row in enumerate(rows):
        magic, kind, sub, offset, size, label, flags = struct.unpack_from(
            "<HBBII16sI", table, 32 * i
        )
        assert (magic, flags) == (0x50AA, 0)
        assert label.rstrip(b"\0").decode() == row[0]
        assert (kind, sub) == (kinds[row[1]], subtypes[row[2]])
        assert (offset, size) == (int(row[3], 0), int(row[4], 0))
    end = 32 * len(rows)
    assert table[end : end + 16] == b"\xeb\xeb" + b"\xff" * 14
    assert table[end + 16 : end + 32] == hashlib.md5(table[:end]).digest()
    assert set(table[end + 32 :]) == {0xFF}


def test_the_flash_is_as_large_as_the_board_and_blank_elsewhere(flash: bytes) -> None:
    toml = tomllib.loads((ROOT / "boards" / BOARD / "board.toml").read_text())
    assert len(flash) == toml["flash_mb"] << 20
    for start, end in ((0, 0x8000), (0x9000, 0x200000), (0x300000, 0x400000)):
        assert flash[start:end].count(0xFF) == end - start


@pytest.mark.parametrize(
    ("name", "code"),
    (
        ("esp32_generic", set()),
        ("lilygo_t3_v1_6_1", {"lorawan", "radio", "bare_radio.mpy"}),
        ("esp32c3_rak3172", {"modem"}),
    ),
)
def test_a_board_has_the_code_of_its_radio_alone(name: str, code: set[str]) -> None:
    third_party = ROOT / ".build" / "third_party"
    items = image.list_files(boards.load(name), ROOT, third_party)
    found = {item.target.split("/")[1] for item in items if item.target.startswith("a/")}
    assert found & {"lorawan", "radio", "bare_radio.mpy", "modem"} == code


def test_every_module_is_in_the_file_system(flash: bytes) -> None:
    files = mounted(flash)
    wanted = {"/boot.py", "/main.py", "/a/board.mpy", "/a/esp32_board.mpy", "/a/umqtt/simple.mpy"}
    for source in (ROOT / "firmware").rglob("*.py"):
        name = source.relative_to(ROOT / "firmware").with_suffix(".mpy").as_posix()
        if name not in ("boot.mpy", "main.mpy"):
            wanted.add(f"/a/{name}")
    for source in (ROOT / "lib").rglob("*.py"):
        name = source.relative_to(ROOT / "lib").with_suffix(".mpy").as_posix()
        if name.partition("/")[0] not in ("lorawan", "radio", "modem"):  # this board has none
            wanted.add(f"/a/{name}")
    for bundle, modules in BUNDLES.items():  # a file for each bundle, none for its modules
        for module in modules:
            path = module.replace(".", "/")
            wanted -= {f"/a/{path}.mpy", f"/a/{path}/__init__.mpy"}
        wanted.add(f"/a/{bundle}.mpy")
    assert set(files) == wanted and len(wanted) > 25
    for name, content in files.items():
        if name.endswith(".mpy"):
            assert content[:2] == b"M\x06", name
    assert files["/main.py"] == (ROOT / "firmware" / "main.py").read_bytes()


def test_the_manifest_describes_the_outputs(flash: bytes, root: Path) -> None:
    built = build(BOARD, root=root)
    assert not built.is_new
    folder = root / ".build" / BOARD
    for name, entry in built.manifest["images"].items():
        data = (folder / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    files = mounted(flash)
    listed = {f"/{n}": f["sha256"] for n, f in built.manifest["files"].items()}
    assert listed == {n: hashlib.sha256(d).hexdigest() for n, d in files.items()}
    assert app_bytes(built.manifest) == sum(
        len(d) for n, d in files.items() if n.startswith("/a/")
    )


@pytest.mark.parametrize("spoil", ("source", "image", "manifest", "missing"))
def test_a_change_is_noticed(spoil: str, tmp_path: Path) -> None:
    root = tree(tmp_path)
    before = build(BOARD, root=root).flash.read_bytes()
    folder = root / ".build" / BOARD
    if spoil == "source":
        (root / "firmware" / "core" / "version.py").open("a").write("\nEXTRA = 'told apart'\n")
    elif spoil == "image":
        with open(folder / "flash.bin", "r+b") as file:
            file.write(b"\0")
    elif spoil == "manifest":
        (folder / "manifest.json").write_text("[1")
    else:
        (folder / "vfs.bin").unlink()
    again = build(BOARD, root=root)
    assert again.is_new
    assert (again.flash.read_bytes() == before) == (spoil != "source")
    assert spoil != "source" or b"told apart" in again.flash.read_bytes()


def test_an_unknown_board_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ToolError, match="unknown board 'nope'. Give one .*esp32_generic"
    ) as caught:
        build("nope")
    assert caught.value.status == USAGE


@pytest.mark.parametrize("name", ("../boards/esp32_generic", "", "ESP32_GENERIC", "."))
def test_a_board_is_a_name_not_a_path(name: str) -> None:
    with pytest.raises(ToolError, match="unknown board"):
        boards.load(name)


def test_a_board_needs_all_its_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "boards", tmp_path / "boards")
    (tmp_path / "boards" / BOARD / "board.py").unlink()
    with pytest.raises(ToolError, match="board.py: no such file"):
        boards.load(BOARD, tmp_path)


@pytest.mark.parametrize(
    ("path", "text"),
    (
        ("firmware/main.py", "main.py: no such file, and the board cannot start without it"),
        (f"{THIRD_PARTY}/umqtt/simple.py", "simple.py: no such file. Run: make setup"),
    ),
)
def test_a_missing_source_is_named(path: str, text: str, tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / path).unlink()
    with pytest.raises(ToolError, match=text):
        build(BOARD, root=root)
    assert not (root / ".build" / BOARD / "flash.bin").exists()


@pytest.mark.parametrize("text", ("def f(:\n", "match 1:\n    case 1:\n        pass\n"))
def test_a_source_that_does_not_compile_is_named(text: str, tmp_path: Path) -> None:
    """Python that MicroPython lacks, too, although the module is a part of a bundle."""
    root = tree(tmp_path)
    clock = root / "firmware" / "core" / "clock.py"
    clock.write_text(text + clock.read_text())
    with pytest.raises(ToolError, match="clock.py: mpy-cross cannot compile it: SyntaxError"):
        build(BOARD, root=root)
    assert not (root / ".build" / BOARD / "manifest.json").exists()


def test_builds_at_the_same_time_give_one_whole_image(tmp_path: Path) -> None:
    root = tree(tmp_path)
    with ThreadPoolExecutor(3) as pool:
        built = list(pool.map(lambda _: build(BOARD, root=root), range(3)))
    assert [b.is_new for b in built].count(True) == 1
    assert len({b.flash.read_bytes() for b in built}) == 1


def test_two_sources_for_one_name_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "lib" / "app.py").write_text("")
    with pytest.raises(ToolError, match="have the same name /a/app.mpy on the node"):
        build(BOARD, root=root)


def test_a_flash_of_another_size_gives_another_image(tmp_path: Path) -> None:
    root = tree(tmp_path)
    inputs = build(BOARD, root=root).manifest["inputs"]
    toml = root / "boards" / BOARD / "board.toml"
    toml.write_text(toml.read_text().replace("flash_mb = 4", "flash_mb = 8"))
    again = build(BOARD, root=root)
    assert again.is_new and again.manifest["inputs"] != inputs


def test_files_larger_than_the_file_system_are_refused() -> None:
    with pytest.raises(
        ToolError, match="70000 bytes do not fit into the file system of 65536 bytes"
    ):
        image.file_system({"a/big.mpy": bytes(70000)}, 65536)
    assert len(image.file_system({"a/big.mpy": bytes(40000)}, 65536)) == 65536
