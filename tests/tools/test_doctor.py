"""`tallypost doctor` on machines that lack something: each finding, and the command it names."""

from __future__ import annotations

import grp
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.boards.genuine import made_up
from tests.tools import golden_output

from tallypost import doctor, ports
from tallypost.building import micropython
from tallypost.doctor import BAD, GOOD, NOTE, Finding, Machine, examine
from tallypost.hardware import boards
from tallypost.ports import Port
from tallypost.cli import main
from tallypost.i18n import LANGUAGES

Capture = pytest.CaptureFixture[str]
CP210X = Port("/dev/ttyUSB0", "10c4:ea60", "CP2102 USB to UART", "0001")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[Machine]:
    """A machine without a problem, with one board."""
    for folder in ("proc", "sys/bus/usb/devices", "rules"):
        (tmp_path / folder).mkdir(parents=True)
    yield Machine(
        proc=tmp_path / "proc", sysfs=tmp_path / "sys", udev=(tmp_path / "rules",),
        prefix=boards.ROOT / ".venv", usb_ports=lambda: [CP210X], may_open=lambda _: True,
        free_bytes=lambda _: 10 << 30,
    )  # fmt: skip


def bad(machine: Machine) -> list[Finding]:
    return [one for one in examine(machine) if one.grade == BAD]


def about(machine: Machine, text: str) -> Finding:
    [found] = [one for one in examine(machine) if one.about.startswith(text)]
    return found


def process(machine: Machine, number: int, name: str, *opened: str) -> None:
    folder = machine.proc / str(number)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    for i, path in enumerate(opened):
        (folder / "fd" / str(i)).symlink_to(path)


def test_a_sound_machine_is_ready_to_flash(sound: Machine) -> None:
    assert bad(sound) == []
    assert about(sound, "port /dev/ttyUSB0").what == "10c4:ea60 CP2102 USB to UART"


def test_an_old_python_and_a_full_disk_are_problems(sound: Machine) -> None:
    old = about(replace(sound, python=(3, 9, 2)), "Python")
    assert (old.grade, old.what, old.next) == (
        BAD,
        "Python 3.9.2 is too old, at least 3.11 is needed",
        "make setup",
    )
    full = about(replace(sound, free_bytes=lambda _: 50 << 20), "disk")
    assert full.grade == BAD and full.what == "50 MB free, 200 MB are needed"


def test_another_environment_is_a_note_and_a_missing_package_a_problem(
    sound: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = about(replace(sound, prefix=Path("/usr")), "environment")
    assert elsewhere.grade == NOTE and elsewhere.next == "make setup, then .venv/bin/tallypost"
    monkeypatch.setattr(doctor, "_PACKAGES", ("esptool", "no-such-package"))
    missing = about(sound, "packages")
    assert (missing.grade, missing.what) == (BAD, "missing: no-such-package")


def test_no_board_is_a_note(sound: Machine) -> None:
    empty = replace(sound, usb_ports=lambda: [])
    assert about(empty, "ports").grade == NOTE and "carries no data" in about(empty, "ports").next
    assert bad(empty) == []


@pytest.mark.parametrize(
    ("members", "text"),
    (
        ([], "sudo usermod -aG dialout tech, then log"),
        (["tech"], "Log out and in again: the membership"),
    ),
)
def test_a_port_without_permission_comes_with_the_command_for_the_group(
    members: list[str], text: str, sound: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.getpass, "getuser", lambda: "tech")
    group = grp.struct_group(("dialout", "x", 20, members))
    monkeypatch.setattr(grp, "getgrnam", lambda _name: group)
    found = about(replace(sound, may_open=lambda _: False), "port")
    assert (found.grade, found.what) == (BAD, "permission denied") and found.next.startswith(text)


def test_a_busy_port_comes_with_the_process_that_uses_it(sound: Machine) -> None:
    process(sound, 77, "mpremote", "/dev/ttyUSB0")
    process(sound, 78, "bash", "/dev/null")
    found = about(sound, "port")
    assert (found.what, found.next) == ("in use by mpremote, process 77", "kill 77")


def test_the_process_that_has_a_file_open_is_found_in_the_real_proc(tmp_path: Path) -> None:
    path = tmp_path / "port"
    path.touch()
    with path.open():
        assert ports.processes_using(str(path)) == []  # not this very process
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=path.open("w")) as other:
            assert ports.processes_using(str(path)) == [(other.pid, "cat")]
            other.communicate()


def test_a_bridge_without_a_port_is_a_problem_of_the_driver(sound: Machine) -> None:
    device = sound.sysfs / "bus" / "usb" / "devices" / "1-2"
    device.mkdir()
    (device / "idVendor").write_text("1a86\n")
    (device / "idProduct").write_text("7523\n")
    found = about(sound, "drivers")
    assert found.what == "CH34x (1a86:7523) is connected, but has no port"
    assert found.grade == BAD and found.next.startswith("sudo modprobe ch341")
    there = Port("/dev/ttyUSB1", "1a86:7523", "USB Serial", "")
    assert bad(replace(sound, usb_ports=lambda: [there])) == []


def test_programs_that_open_the_ports_of_boards_are_found(sound: Machine) -> None:
    rules = sound.udev[0] / "85-brltty.rules"
    rules.write_text('# ENV{PRODUCT}=="1a86/7523/*"\n')
    assert not [one for one in examine(sound) if one.about == "brltty"]
    rules.write_text('ENV{PRODUCT}=="1a86/7523/*", ENV{BRLTTY_BRAILLE_DRIVER}="bm"\n')
    assert about(sound, "brltty").grade == NOTE
    process(sound, 9, "brltty")
    process(sound, 10, "ModemManager")
    assert (
        about(sound, "brltty").grade == BAD and "apt remove brltty" in about(sound, "brltty").next
    )
    assert about(sound, "ModemManager").grade == NOTE


def test_micropython_files_are_checked_and_missing_ones_are_notes(
    sound: Machine, tmp_path: Path
) -> None:
    name = "esp32c3_rak3172"
    board = boards.load(name)
    lacking = about(sound, f"MicroPython for {name}")
    assert lacking.grade == NOTE
    assert lacking.next == f"tallypost micropython download --board {name}"
    path = tmp_path / board.micropython.file
    path.write_bytes(made_up(board))
    micropython.add(path, board)
    assert about(sound, f"MicroPython for {name}").grade == GOOD
    (micropython.cache_folder() / path.name).write_bytes(b"x")
    assert about(sound, f"MicroPython for {name}").grade == BAD


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(
    language: str, sound: Machine, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(doctor, "_PACKAGES", ("no-such-package",))
    monkeypatch.setattr(doctor.getpass, "getuser", lambda: "tech")
    sick = replace(
        sound, python=(3, 11, 2), may_open=lambda _: False, free_bytes=lambda _: 300 << 20
    )
    process(sick, 10, "ModemManager")
    monkeypatch.setattr(doctor, "Machine", lambda: sick)
    monkeypatch.setattr(boards, "names", list)
    assert main(["doctor", "--lang", language]) == 1
    golden_output.check(language, "doctor", capsys.readouterr().out)


def test_the_command_exits_with_1_when_a_problem_prevents_flashing(
    sound: Machine, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(doctor, "Machine", lambda: sound)
    assert main(["doctor"]) == 0
    assert "Ready to flash." in capsys.readouterr().out
    monkeypatch.setattr(doctor, "Machine", lambda: replace(sound, may_open=lambda _: False))
    assert main(["doctor"]) == 1
    assert "1 problem prevents flashing." in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["about"] for one in found if one["grade"] == BAD] == ["port /dev/ttyUSB0"]


def test_the_command_works_on_this_machine(capsys: Capture) -> None:
    assert main(["doctor", "--json"]) in (0, 1)
    assert {"Python", "packages", "disk"} <= {
        one["about"] for one in json.loads(capsys.readouterr().out)
    }
