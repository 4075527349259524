"""The MicroPython file: which one a board accepts, its place, and its hash in the cache."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.support.boards.genuine import BANNER, esp_image, generic, genuine, made_up

from tallypost.building import build
from tallypost.building import image
from tallypost.building import micropython
from tallypost.hardware import esp_image as images
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.partitions import unpack
from tallypost.cli import main

BOARD = generic()
LOADER, TABLE, APP = 0x1000, 0x8000, 0x10000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tallypost" / "micropython"


def spoilt(at: int, data: bytes | None = None) -> bytes:
    """A good file with one byte changed."""
    whole = bytearray(data or made_up(BOARD))
    whole[at] ^= 0x55
    return bytes(whole)


def with_app(app: bytes) -> bytes:
    return made_up(BOARD)[: APP - LOADER] + app


# --- files that are accepted


def test_the_file_lies_at_the_loader_offset_below_our_table() -> None:
    data = made_up(BOARD)
    flash = image.flash(BOARD, b"vfs", data)
    assert flash[:LOADER].count(0xFF) == LOADER
    assert flash[LOADER:TABLE] == data[: TABLE - LOADER]
    assert {part.label for part in unpack(flash[TABLE:])} >= {"ring", "vfs"}
    assert flash[APP : LOADER + len(data)] == data[APP - LOADER :]
    assert flash[0x200000:0x200003] == b"vfs"


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"", "the file is cut off before the image header"),
        (b"PK" + bytes(0x20000), "there is no image: the file has 0x50 in the place of 0xe9"),
        (b"<html>" + bytes(0x20000), "there is no image: the file has 0x3c in the place of 0xe9"),
        (made_up(BOARD)[: APP - LOADER], "the file is cut off before the image header"),
        (made_up(BOARD)[: APP - LOADER + 20], "the file is cut off before the image header"),
        (made_up(BOARD)[: APP - LOADER + 28], "the file is cut off or damaged in segment 1 of 1"),
        (made_up(BOARD)[:-20_000], "the file is cut off or damaged in segment 1 of 1"),
        (made_up(BOARD)[:-40], "the file is cut off before the checksum"),
        (made_up(BOARD)[:-1], "the file is cut off before the hash"),
        (spoilt(-1), "the image is damaged: its hash is wrong"),
        (spoilt(-33), "the image is damaged: its checksum is wrong"),
        (spoilt(-10_000), "the image is damaged: its checksum is wrong"),
        (spoilt(100), "the image is damaged: its checksum is wrong"),
        (spoilt(1), "the image is damaged: it has 84 segments"),
        (spoilt(TABLE - LOADER), "there is no partition table"),
        (made_up(boards.load("esp32c3_rak3172")), "there is no partition table"),
        (
            made_up(BOARD, chip="esp32s3"),
            "the file is for esp32s3, but esp32_generic has esp32. Use the file of this board: ",
        ),
        (with_app(esp_image(77, BANNER % b"1.28.0")), "the file is for chip 0x4d"),
        (with_app(esp_image(0, b"blink" * 999)), "a program for the esp32, but not MicroPython"),
        (
            made_up(BOARD, version=b"1.24.1"),
            "has not been tested with MicroPython 1.24.1, but with 1.25 to 1.29",
        ),
        (
            made_up(BOARD, version=b"1.30.0"),
            "has not been tested with MicroPython 1.30.0, but with 1.25 to 1.29. Use the file of",
        ),
        (made_up(BOARD, flash_mb=8), "built for a flash of 8 MB, but esp32_generic has 4 MB"),
        (
            made_up(BOARD, size=0x1F0000),
            "the partition 'factory' has 2031616 bytes from 0x10000 on",
        ),
    ),
)
def test_a_wrong_file_is_refused(data: bytes, text: str, tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mp.bin"
    path.write_bytes(data)
    with pytest.raises(ToolError) as caught:
        micropython.add(path, BOARD)
    assert text in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value) and not cache.exists()


def test_an_image_without_a_hash_is_held_by_its_checksum() -> None:
    data = bytearray(esp_image(0, b"x" * 100)[:-32])
    data[23] = 0
    assert images.parse(bytes(data)).size == len(data)
    data[60] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        images.parse(bytes(data))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="gone.bin: No such file"):
        micropython.add(tmp_path / "gone.bin", BOARD)


@pytest.mark.parametrize("name", boards.names())
def test_every_board_accepts_its_own_file(name: str) -> None:
    board = boards.load(name)
    found = micropython.check(made_up(board), "mp.bin", board)
    assert found.version == (1, 28, 0)


# --- the cache


def test_the_first_use_stores_the_hash_and_later_files_must_have_the_same(
    tmp_path: Path, cache: Path
) -> None:
    path = tmp_path / "mine.bin"
    path.write_bytes(made_up(BOARD))
    found = micropython.add(path, BOARD)
    assert json.loads((cache / "sha256.json").read_text()) == {"mine.bin": found.sha256}
    assert (cache / "mine.bin").read_bytes() == found.data
    assert micropython.add(path, BOARD) == found
    path.write_bytes(made_up(BOARD, size=50_000))
    with pytest.raises(
        ToolError, match="mine.bin: the SHA-256 is .*, but according to its first use it is "
    ):
        micropython.add(path, BOARD)


def test_the_file_of_the_board_must_have_the_hash_of_the_board(
    tmp_path: Path, cache: Path
) -> None:
    assert BOARD.micropython.sha256
    path = tmp_path / BOARD.micropython.file
    path.write_bytes(made_up(BOARD))
    with pytest.raises(ToolError, match="according to esp32_generic it is cd7820d0"):
        micropython.add(path, BOARD)
    assert not cache.exists()


def unpinned() -> boards.Board:
    return replace(BOARD, micropython=replace(BOARD.micropython, sha256=""))


def test_the_board_s_file_is_found_and_a_changed_one_refused(tmp_path: Path, cache: Path) -> None:
    board = unpinned()
    assert micropython.cached(board) is None
    path = tmp_path / board.micropython.file
    path.write_bytes(made_up(board))
    added = micropython.add(path, board)
    found = micropython.cached(board)
    assert found and found.data == added.data and found.sha256 == added.sha256
    kept = cache / board.micropython.file
    kept.write_bytes(spoilt(-1))
    with pytest.raises(
        ToolError, match="changed since its first use. Delete it, then run: tallypost"
    ):
        micropython.cached(board)
    (cache / "sha256.json").write_text("[")
    with pytest.raises(ToolError, match="sha256.json: the file is damaged: "):
        micropython.cached(board)


# --- downloading


class Pages(BaseHTTPRequestHandler):
    body = b""
    cut = 0

    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith(".bin") else 404)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body[: len(self.body) - self.cut])

    def log_message(self, *_args: object) -> None:
        return None


@contextmanager
def pages(body: bytes, cut: int = 0) -> Iterator[str]:
    handler = type("Handler", (Pages,), {"body": body, "cut": cut})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def at(url: str, end: str = "") -> boards.Board:
    board = unpinned()
    return replace(board, micropython=replace(board.micropython, url=f"{url}x.bin{end}"))


def test_the_file_is_downloaded_once_and_checked(cache: Path) -> None:
    data, progress = made_up(BOARD, size=200_000), []
    with pages(data) as url:
        found = micropython.download(at(url), lambda done, total: progress.append((done, total)))
    assert found.data == data and (cache / BOARD.micropython.file).read_bytes() == data
    assert progress[-1] == (len(data), len(data)) and len(progress) > 2
    again = micropython.download(at(url), lambda *_: pytest.fail("fetched again"))
    assert again.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("body", "cut", "end", "text"),
    (
        (made_up(BOARD), 5_000, "", "the transfer stopped after|IncompleteRead"),
        (b"<html>no such page</html>", 0, "", "there is no image"),
        (made_up(BOARD, chip="esp32c3"), 0, "", "the file is for esp32c3"),
        (made_up(BOARD), 0, "?", "Not Found"),
    ),
)
def test_a_bad_download_is_refused(
    body: bytes, cut: int, end: str, text: str, cache: Path
) -> None:
    with pages(body, cut) as url, pytest.raises(ToolError, match=text) as caught:
        micropython.download(at(url, end), lambda *_: None)
    assert "\n" not in str(caught.value) and not cache.exists()


def test_a_server_that_does_not_answer_is_reported_with_the_next_command() -> None:
    with pytest.raises(
        ToolError, match="the download failed: .*then run: tallypost micropython add"
    ):
        micropython.download(at("http://127.0.0.1:9/"), lambda *_: None)


# --- the command


def test_the_command_adds_and_lists(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = boards.load("esp32c3_rak3172")
    path = tmp_path / board.micropython.file
    path.write_bytes(made_up(board))
    assert main(["micropython", "add", str(path), "--board", board.name]) == 0
    assert "MicroPython 1.28.0, " in capsys.readouterr().out
    assert main(["micropython", "list"]) == 0
    out = capsys.readouterr().out
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:16] in out and "missing" in out
    assert main(["micropython", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["board"] for one in listed if one["sha256"]] == [board.name]
    assert main(["micropython", "add"]) == 2
    assert "add needs a file" in capsys.readouterr().err


# --- the genuine one


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_genuine_file_merges_into_an_image_that_other_tools_read(cache: Path) -> None:
    """Under our table, esptool finds a whole image, and another reader finds our partitions."""
    found = micropython.add(genuine(), BOARD)
    assert found.version == (1, 25, 0)
    merged = build.merge(BOARD, build.build(BOARD.name), found)
    bin_folder = Path(sys.executable).parent
    said = run(str(bin_folder / "esptool"), "image-info", str(merged))
    assert "Detected image type: ESP32" in said and "Checksum: 0x" in said
    assert said.count("(valid)") == 2, said  # checksum and appended hash of the loader
    app = merged.with_name("app.bin")
    app.write_bytes(merged.read_bytes()[APP - LOADER : BOARD.partition("factory").end - LOADER])
    said = run(str(bin_folder / "esptool"), "image-info", str(app))
    assert said.count("(valid)") == 2, said
    said = run(str(bin_folder / "mp-image-tool-esp32"), str(merged))
    rows = [line.replace("│", " ").split() for line in said.splitlines() if "0x" in line]
    table = {row[0]: (int(row[3], 16), int(row[4], 16), int(row[5], 16)) for row in rows}
    ours = {p.label: (p.offset, p.size, p.end) for p in BOARD.partitions}
    assert table == ours
    spans = sorted(ours.values())
    assert all(a[2] <= b[0] for a, b in zip(spans, spans[1:]))
    assert ours["ring"][2] <= BOARD.flash_size
    free = BOARD.partition("factory").size - (len(found.data) - (APP - LOADER))
    assert free > 256 * 1024  # room for the next versions of MicroPython


def test_the_genuine_file_has_no_room_on_another_chip() -> None:
    with pytest.raises(ToolError, match="not a MicroPython file for the esp32s3 at 0x0"):
        micropython.add(genuine(), boards.load("heltec_wifi_lora_32_v3"))
