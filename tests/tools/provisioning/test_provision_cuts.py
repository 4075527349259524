"""A cable pulled while a board is provisioned: the board counts as before, or refuses to count."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.long import LONG
from tests.support.boards.booted import Life, boot, nvs
from tests.support.boards.mock_board import MockBoard, Nor, Unplugged
from tests.tools.provisioning.test_provision_board import (
    KEYS,
    LORA,
    NONCES,
    lora_image,
    state,
    used,
)

from tallypost import cli
from tallypost.nvs import nvs_reader
from tallypost.provisioning.identity import Identity
from tallypost.provisioning.provision import prepare, write

__all__ = ("lora_image", "state")
PULLS = 50 if LONG else 4
OLD = Identity("old-1", {"site": "old"}, "net", "old-password", "u", "old-secret", lora=KEYS)
NEW = Identity(
    "old-1", {"link": "mqtt", "site": "new"}, "net", "new-password", "u", "new-secret", lora=KEYS
)


@pytest.fixture(scope="module")
def before(lora_image: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return used(tmp_path_factory.mktemp("before"), lora_image, OLD, 40, NONCES)


class NorTarget:
    """A flash with the physics of NOR as a target, without a port, for many cuts."""

    name, mac = "nor", "24:0a:c4:00:00:09"

    def __init__(self, flash: Nor) -> None:
        self.flash = flash
        self.size = len(flash.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.flash.read(offset, length)

    def erase(self, offset: int, length: int) -> None:
        self.flash.erase_region(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        self.flash.program(offset, data)

    def is_blank(self, offset: int, length: int) -> bool:
        return not self.flash.read(offset, length).strip(b"\xff")


def identity_in(cells: bytes) -> str:
    """The identity that the firmware would accept, "old" or "new". "": none."""
    found = nvs_reader.parse(cells[0x9000:0xF000]).get("tallypost", {})
    for name, who in (("old", OLD), ("new", NEW)):
        entries = {key: value for key, value in found.items() if key not in ("boot", "config")}
        wanted = {key: value for key, value in who.entries.items() if key != "config"}
        if entries == wanted:
            return name if found.get("config") == who.config_blob else "half"
    return "half" if found.get("id") and found.get("seal") else ""


def test_no_cut_leaves_half_an_identity(before: bytes, state: Path) -> None:
    """The power is cut after every few bytes, directly at the flash."""
    whole = Nor(before)
    write(NorTarget(whole), prepare(NorTarget(whole), NEW))
    total, written = whole.changed, whole.written[-1][1]
    seen = {"": 0, "old": 0, "new": 0}
    for cut in [*range(0, total - written, 997), *range(total - written, total, 7), total - 1]:
        flash = Nor(before)
        flash.cut_after = cut
        with pytest.raises(Unplugged):
            write(NorTarget(flash), prepare(NorTarget(flash), NEW))
        seen[identity_in(flash.data)] += 1
        flash.cut_after = None
        write(NorTarget(flash), prepare(NorTarget(flash), NEW))
        assert identity_in(flash.data) == "new"
        assert nvs(flash.data).get_i32("tallypost", "boot") == 40, cut
        assert nvs(flash.data).get_blob("lora", "nonces") == NONCES, cut
    assert seen[""] > 100


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "wifi").write_text("new-password")
    (tmp_path / "mqtt").write_text("new-secret")
    keys = {"dev_eui": "11" * 8, "join_eui": "22" * 8, "app_key": bytes(range(16)).hex()}
    (tmp_path / "keys").write_text(json.dumps(keys))
    return [
        "provision", "--board", LORA, "--set", "link=mqtt", "--node", "old-1", "--insecure-plain",
        "--site", "new", "--wifi-ssid", "net",
        "--wifi-password-file", f"{tmp_path}/wifi", "--mqtt-user", "u",
        "--mqtt-password-file", f"{tmp_path}/mqtt", "--lorawan", f"{tmp_path}/keys",
    ]  # fmt: skip


def pulls(total: int, written: int) -> Iterator[int]:
    """Half of the cuts are while erasing, half in the few bytes that are written."""
    rng = random.Random(6)
    for _ in range(PULLS // 2):
        yield rng.randrange(total - written)
        yield rng.randrange(total - written, total)


def test_a_pulled_cable_leaves_the_old_identity_or_none(
    before: bytes, words: list[str], tmp_path: Path, state: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With esptool: the board boots in the simulator after a cut, then the command runs again."""
    plain = Nor(before)
    write(NorTarget(plain), prepare(NorTarget(plain), NEW))
    flash = tmp_path / "flash.bin"
    seen: dict[str, int] = {"": 0, "old-1": 0}
    for number, cut in enumerate(pulls(plain.changed, plain.written[-1][1])):
        board = MockBoard("esp32_generic", number, cells=before)
        board.flash.cut_after = cut
        try:
            assert cli.main([*words, "--port", board.url]) == 1
            said = capsys.readouterr()
            assert said.err.count("error: ") == 1 and "run the same command again" in said.err
            flash.write_bytes(board.flash.data)
            life = boot(flash, 2)
            check(life, identity_in(flash.read_bytes()))
            seen[life.node] += 1
            board.plug_in()
            board.flash.data[:] = flash.read_bytes()
            assert cli.main([*words, "--port", board.url]) == 0, capsys.readouterr().err
        finally:
            board.close()
        assert identity_in(board.flash.data) == "new"
        assert nvs(board.flash.data).get_i32("tallypost", "boot") == (life.boot or 40)
        assert nvs(board.flash.data).get_blob("lora", "nonces") == NONCES
    assert seen[""] >= PULLS * 3 // 4 and sum(seen.values()) == PULLS
    assert list(state.iterdir()) == []


def check(life: Life, held: str) -> None:
    """A node counts under a complete identity, or logs nothing."""
    if life.node:
        assert (life.node, held, life.boot) == ("old-1", "old", 41)
    else:
        assert not life.logged and "Run `tallypost provision`" in life.console[-1]
