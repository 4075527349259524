"""The virtual board against the port's source and documentation of an ESP32."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from littlefs import LittleFS

from simulator.board.board import VirtualBoard
from simulator.board.life import NvsContents
from simulator.board.stock import flashed
from simulator.world.chip.devices import NVS_OFFSET, NVS_SIZE
from simulator.world.chip.nvs import NvsPartition
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision
from tests.seam import body, virtual
from tests.seam.__main__ import main

RING = boards.load(virtual.BOARD).partition("ring")
VFS = boards.load(virtual.BOARD).partition("vfs")


def files(flash: bytes) -> dict[str, bytes]:
    """Everything in the file system."""
    system = LittleFS(
        block_size=4096, block_count=VFS.size // 4096, read_size=32, prog_size=32, mount=False
    )
    system.context.buffer = bytearray(flash[VFS.offset : VFS.offset + VFS.size])
    system.mount()
    found = {}
    for folder, _, names in system.walk("/"):
        for name in names:
            with system.open(f"{folder}/{name}", "rb") as file:
                found[f"{folder}/{name}"] = file.read()
    return found


def ring(flash: bytes) -> bytes:
    return flash[RING.offset : RING.offset + RING.size]


def keys_left(flash: bytes) -> list[str]:
    """Keys of the checks' own namespace in NVS."""
    data = flash[NVS_OFFSET : NVS_OFFSET + NVS_SIZE]
    nvs = NvsPartition(lambda at, n: data[at : at + n], lambda *_: None, lambda *_: None)
    left = []
    for key, get in (("clock", nvs.get_i32), ("kind", nvs.get_blob), ("n", nvs.get_i32)):
        with contextlib.suppress(KeyError):
            get("tpconform", key)
            left.append(key)
    return left


def test_the_virtual_board_conforms_and_is_left_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    flashes: list[bytes] = []
    made = virtual.virtual_board

    @contextlib.contextmanager
    def watched(folder: Path) -> Iterator[VirtualBoard]:
        with made(folder) as board:
            flashes.append(board.flash.read_bytes())
            yield board
        flashes.append(board.flash.read_bytes())

    monkeypatch.setattr(virtual, "virtual_board", watched)
    results = tmp_path / "results.json"
    status = main(["--json", str(results)])
    assert status == 0, capsys.readouterr().out
    found = json.loads(results.read_text())
    assert list(found["checks"]) == body.names()
    assert {result["state"] for result in found["checks"].values()} == {"pass"}
    assert found["checks"]["net.sockets_are_few"]["text"] == "10"
    assert found["board"]["partitions"] == ["nvs", "phy_init", "vfs", "ring"]
    before, after = flashes
    assert ring(before) == ring(after) and files(before) == files(after)
    assert keys_left(after) == []


def test_a_part_that_a_chip_does_not_have_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "AREAS", ("pins", "system"))
    monkeypatch.setattr(body, "KINDS", ())
    board = boards.load("esp32c3_rak3172")
    results = tmp_path / "results.json"
    with VirtualBoard(board.name, flashed(board, tmp_path / "flash.bin"), terminal=True) as made:
        assert main(["--port", str(made.path), "--json", str(results)]) == 0
    found = json.loads(results.read_text())
    assert "ESP32C3" in found["board"]["machine"]
    counter = found["checks"]["pins.pulse_counter_counts_both_edges"]
    assert counter == counter | {"state": "skip"} and counter["text"].startswith(
        "no pulse counter"
    )


def test_a_node_that_counts_keeps_its_identity_its_ring_and_its_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "AREAS", ("clock", "flash", "nvs"))
    monkeypatch.setattr(body, "KINDS", ("hard",))
    flash = flashed(boards.load(virtual.BOARD), tmp_path / "flash.bin")
    provision(
        flash,
        Identity(
            "n1",
            {"detector": "beam", "console": "open"},
            wifi_ssid="street",
            wifi_pass="secret-1",
        ),
    )
    results = tmp_path / "results.json"
    with VirtualBoard(virtual.BOARD, flash, terminal=True) as board:
        assert main(["--port", str(board.path), "--json", str(results)]) == 0
    found = json.loads(results.read_text())
    assert found["board"]["counting"] is True
    checks = found["checks"]
    assert checks["hard.rtc_memory_is_kept"]["text"].startswith("a node that counts")
    assert checks["flash.an_erase_leaves_ones"]["text"].endswith("--scratch LABEL")
    assert {result["state"] for result in checks.values()} == {"pass", "skip"}
    assert NvsContents(flash).blob("id") == b"n1" and keys_left(flash.read_bytes()) == []
