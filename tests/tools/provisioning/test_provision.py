"""Provisioning a flash file: the entries in NVS, the data that stays, and refusals."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.world.chip.nvs import NvsPartition
from tallypost import cli
from tallypost.building import image
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.hardware.partitions import pack
from tallypost.provisioning.provision import Identity, LoraKeys, provision

NVS, NVS_SIZE = 0x9000, 0x6000
BOARD = boards.load("esp32_generic")
CONFIG = {"detector": "beam", "interval_s": 900, "mqtt_host": "broker"}
PASSWORD, SECRET = "between-you-and-me", "0f1e2d3c4b5a6978"


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    """A flash file with marked contents beside NVS and a blank log."""
    data = image.flash(BOARD, b"v" * 0x100000, None)
    path = tmp_path / "flash.bin"
    path.write_bytes(data)
    return path


def nvs(flash: Path) -> NvsPartition:
    """The independent reader for the file. It cannot write."""
    data = flash.read_bytes()[NVS : NVS + NVS_SIZE]

    def refuse(*_args: object) -> None:
        raise AssertionError("reading writes")

    return NvsPartition(lambda at, n: data[at : at + n], refuse, refuse, NVS_SIZE // 4096)


def blob(flash: Path, key: str) -> bytes:
    return nvs(flash).get_blob("tallypost", key)


def test_the_other_implementation_reads_the_whole_identity(flash: Path) -> None:
    who = Identity("radar-1", CONFIG, "street", PASSWORD, "user-1", SECRET)
    assert provision(flash, who) == who
    assert blob(flash, "id") == b"radar-1"
    assert json.loads(blob(flash, "config")) == CONFIG
    assert blob(flash, "wifi_ssid") == b"street" and blob(flash, "wifi_pass").decode() == PASSWORD
    assert blob(flash, "mqtt_user") == b"user-1" and blob(flash, "mqtt_pass").decode() == SECRET
    assert nvs(flash).get_i32("tallypost", "boot") == 0
    assert len(nvs(flash).keys("tallypost")) == 8


def test_missing_values_are_made_or_left_out(flash: Path) -> None:
    whole = provision(flash, Identity("n1"))
    assert whole.mqtt_user == "n1" and len(whole.mqtt_pass) >= 24
    assert blob(flash, "mqtt_pass").decode() == whole.mqtt_pass
    assert blob(flash, "config") == b"{}"
    keys = {"id", "config", "mqtt_user", "mqtt_pass", "boot", "seal"}
    assert set(nvs(flash).keys("tallypost")) == keys
    assert provision(flash, Identity("n1")).mqtt_pass != whole.mqtt_pass


def test_the_flash_outside_nvs_stays_unchanged(flash: Path) -> None:
    data = bytearray(flash.read_bytes())
    data[0x300000:0x400000] = bytes(range(256)) * 0x1000
    flash.write_bytes(data)
    before = flash.read_bytes()
    provision(flash, Identity("n1", CONFIG), log="keep")
    after = flash.read_bytes()
    assert after[:NVS] == before[:NVS] and after[NVS + NVS_SIZE :] == before[NVS + NVS_SIZE :]
    assert after[NVS : NVS + NVS_SIZE] != before[NVS : NVS + NVS_SIZE]


def writable(flash: Path) -> NvsPartition:
    """The partition of the file as a node has it. It checks that bits are only cleared."""
    cells = bytearray(flash.read_bytes()[NVS : NVS + NVS_SIZE])

    def program(at: int, data: bytes) -> None:
        assert all(new & ~old == 0 for new, old in zip(data, cells[at : at + len(data)]))
        cells[at : at + len(data)] = data

    def erase(at: int) -> None:
        cells[at : at + 4096] = b"\xff" * 4096

    return NvsPartition(lambda at, n: bytes(cells[at : at + n]), program, erase)


def test_the_node_can_go_on_writing(flash: Path) -> None:
    provision(flash, Identity("n1", CONFIG))
    node = writable(flash)
    node.set_i32("tallypost", "boot", 41)
    node.set_blob("tallypost", "config", b'{"interval_s":60}')
    assert node.get_i32("tallypost", "boot") == 41
    assert node.get_blob("tallypost", "id") == b"n1"


def test_a_node_with_the_longest_identity_can_change_its_configuration(flash: Path) -> None:
    longest(flash)
    node = writable(flash)
    for number in range(30):
        for key in ("config", "config_ok"):
            node.set_blob("tallypost", key, bytes([number]) * 1500)
            assert node.get_blob("tallypost", key) == bytes([number]) * 1500
    assert node.get_blob("tallypost", "fleet_key2") == b"f" * 512


def test_a_new_identity_replaces_the_old_one_and_its_secrets(flash: Path) -> None:
    provision(flash, Identity("n1", CONFIG, "street", PASSWORD, "", SECRET))
    provision(flash, Identity("n2"), log="erase")
    data = flash.read_bytes()
    assert blob(flash, "id") == b"n2"
    assert PASSWORD.encode() not in data and SECRET.encode() not in data


def test_a_dry_run_writes_nothing(flash: Path) -> None:
    before = flash.read_bytes()
    provision(flash, Identity("n1"), dry_run=True)
    assert flash.read_bytes() == before


def test_secrets_do_not_show_in_the_identity() -> None:
    who = repr(Identity("n1", CONFIG, "street", PASSWORD, "u", SECRET))
    assert "n1" in who and PASSWORD not in who and SECRET not in who


@pytest.mark.parametrize(
    ("who", "text"),
    (
        (Identity(""), "the node id '' is not allowed. Use 1 to 32 characters of a-z"),
        (Identity("Radar"), "node id 'Radar'"),
        (Identity("a/b"), "node id 'a/b'"),
        (Identity("a+"), "node id"),
        (Identity("-a"), "node id '-a'"),
        (Identity("é"), "node id"),
        (Identity("a\n"), "node id"),
        (Identity("a" * 33), "node id"),
        (Identity("n1", {"x": "y" * 1500}), "config has 15.. bytes, at most 1500 are allowed"),
        (Identity("n1", wifi_ssid="s" * 33), "wifi_ssid has 3. bytes, at most 32 are allowed"),
        (Identity("n1", wifi_ssid="ß" * 17), "wifi_ssid has 3. bytes, at most 32 are allowed"),
        (Identity("n1", wifi_pass="p" * 64), "wifi_pass has 64 bytes, at most 63"),
        (Identity("n1", wifi_pass="seven77"), "less than 8 characters"),
        (Identity("n1", mqtt_user="u" * 65), "mqtt_user has 65 bytes, at most 64"),
        (Identity("n1", mqtt_pass="u" * 65), "mqtt_pass has 65 bytes, at most 64"),
    ),
)
def test_a_bad_identity_is_refused_before_anything_is_written(
    who: Identity, text: str, flash: Path
) -> None:
    before = flash.read_bytes()
    with pytest.raises(ToolError, match=text):
        provision(flash, who)
    assert flash.read_bytes() == before


def longest(flash: Path) -> None:
    """Provision an identity whose values all have their greatest length."""
    config = {"x": "y" * (1500 - 8)}
    who = Identity("a" * 32, config, "s" * 32, "p" * 63, "u" * 64, "m" * 64, b"c" * 1500)
    more = {"mqtt_ca2": b"d" * 1500, "fleet_keys": (b"e" * 512, b"f" * 512)}
    keys = LoraKeys(bytes(8), bytes(8), bytes(16))
    provision(flash, replace(who, lora=keys, mac_key=b"k" * 32, serial=2**31 - 1, **more))


def test_the_longest_identity_fits(flash: Path) -> None:
    longest(flash)
    assert json.loads(blob(flash, "config")) == {"x": "y" * (1500 - 8)}
    assert blob(flash, "id") == b"a" * 32 and blob(flash, "mqtt_pass") == b"m" * 64
    assert blob(flash, "fleet_key2") == b"f" * 512 and blob(flash, "mqtt_ca2") == b"d" * 1500
    assert nvs(flash).get_i32("tallypost", "cfg_serial") == 2**31 - 1


def test_a_configuration_that_is_no_json_is_refused(flash: Path) -> None:
    with pytest.raises(ToolError):
        provision(flash, Identity("n1", {"x": float("nan")}))


def test_a_name_that_is_no_text_is_refused(flash: Path) -> None:
    with pytest.raises(ToolError):
        provision(flash, Identity("n1", wifi_ssid="caf\udce9"))


def test_the_node_reads_every_character_of_a_configuration(flash: Path) -> None:
    provision(flash, Identity("n1", {"place": "Löwe \N{LION FACE}"}))
    assert blob(flash, "config") == '{"place":"Löwe \N{LION FACE}"}'.encode()


@pytest.mark.parametrize("size", (0, 0x1000, 0x1800))
def test_an_nvs_partition_that_is_too_small_is_refused(flash: Path, size: int) -> None:
    data = bytearray(flash.read_bytes())
    small = [replace(p, size=size) if p.label == "nvs" else p for p in BOARD.partitions]
    data[0x8000:0x8C00] = pack(tuple(small))
    flash.write_bytes(data)
    with pytest.raises(ToolError, match="an NVS partition (cannot have|of)"):
        provision(flash, Identity("n1"))


@pytest.mark.parametrize(
    ("data", "text"),
    (
        (b"", "there is no partition table. To make a flash file, run: tallypost build"),
        (
            b"\xff" * 0x400000,
            "there is no partition table. To make a flash file, run: tallypost build",
        ),
        (
            image.flash(BOARD, b"", None)[:0x10000],
            "the file is shorter than its partition table says",
        ),
        (
            image.flash(BOARD, b"", None)[:0xA000],
            "the file is shorter than its partition table says",
        ),
        (
            image.flash(BOARD, b"", None)[:0x8040],
            "there is no partition table. To make a flash file, run: tallypost build",
        ),
    ),
)
def test_a_file_that_is_no_flash_is_refused(data: bytes, text: str, tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(data)
    with pytest.raises(ToolError, match=text):
        provision(path, Identity("n1"))
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", ("gone.bin", "."))
def test_a_file_that_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No such file|Is a directory"):
        provision(tmp_path / name, Identity("n1"))


def test_a_table_without_nvs_is_refused(tmp_path: Path, flash: Path) -> None:
    data = bytearray(flash.read_bytes())
    data[0x8000:0x9000] = pack(BOARD.partitions[1:]).ljust(0x1000, b"\xff")
    flash.write_bytes(data)
    with pytest.raises(ToolError, match="the partition table has no 'nvs'"):
        provision(flash, Identity("n1"))


def test_the_shared_image_has_no_identity_and_no_secret() -> None:
    assert cli.main(["build", "--quiet"]) == 0
    shared = (boards.ROOT / ".build" / BOARD.name / "flash.bin").read_bytes()
    assert shared[NVS : NVS + NVS_SIZE] == b"\xff" * NVS_SIZE
    assert shared[0x300000:] == b"\xff" * 0x100000


def test_the_secrets_file_is_for_its_owner_only(flash: Path, tmp_path: Path) -> None:
    out = tmp_path / "secret.json"
    argv = ["provision", str(flash), "--node", "n1", "--insecure-plain", "--secrets-out", str(out)]
    assert cli.main(argv) == 0
    secret = json.loads(out.read_text())
    assert secret == {"user": "n1", "password": blob(flash, "mqtt_pass").decode()}
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_lorawan_keys_are_on_the_node_and_nowhere_else(flash: Path) -> None:
    keys = LoraKeys(b"\x01" * 8, b"\x02" * 8, bytes(range(16)))
    whole = provision(flash, Identity("n1", lora=keys))
    assert blob(flash, "lora_dev_eui") == keys.dev_eui
    assert blob(flash, "lora_join_eui") == keys.join_eui
    assert blob(flash, "lora_app_key") == keys.app_key
    assert "0f" not in repr(whole.lora).lower().replace("\\x", "") and "app_key" not in repr(whole)


def test_lorawan_keys_of_a_wrong_length_are_refused_without_their_value() -> None:
    with pytest.raises(ToolError, match="lora_app_key has 15 bytes, expected: 16"):
        LoraKeys(bytes(8), bytes(8), b"s" * 15)
    with pytest.raises(ToolError, match="lora_dev_eui has 7 bytes, expected: 8"):
        LoraKeys(bytes(7), bytes(8), bytes(16))
