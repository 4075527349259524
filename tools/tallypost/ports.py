"""The serial ports of this machine: the USB ports, and the processes that have a port open."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from tallypost.faults import ToolError
from tallypost.i18n import _

PROC = Path("/proc")
# Vendors of the chips between USB and the chip of a board, with name and kernel driver.
BRIDGES = {
    "10c4": ("CP210x", "cp210x"), "1a86": ("CH34x", "ch341"), "0403": ("FTDI", "ftdi_sio"),
    "303a": ("Espressif", "cdc_acm"), "2886": ("Seeed", "cdc_acm"),
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """device: its path. usb: vendor and product as 10c4:ea60, or "". product: its own name."""

    device: str
    usb: str
    product: str
    serial: str


def usb_ports() -> list[Port]:
    """The ports behind USB, sorted by name. Boards are found nowhere else."""
    return [
        Port(
            port.device, f"{port.vid:04x}:{port.pid:04x}", port.product or port.description or "",
            port.serial_number or "",
        )
        for port in sorted(list_ports.comports(), key=lambda one: str(one.device))
        if port.vid is not None
    ]  # fmt: skip


def has_board_bridge(port: Port) -> bool:
    """Whether a board may be at the port. Other devices are left alone."""
    return port.usb.partition(":")[0] in BRIDGES


def only_port() -> str:
    """The device of the only port. Raises ToolError if there is none, or more than one."""
    devices = [port.device for port in usb_ports()]
    if not devices:
        raise ToolError(
            _("No board is connected"),
            _("Plug one in with a data cable. If it is not found, run: tallypost doctor"),
        )
    if len(devices) > 1:
        raise ToolError(
            _("{n} ports are connected: {ports}").format(n=len(devices), ports=", ".join(devices)),
            _("Name one of them with --port."),
        )
    return devices[0]


def processes_using(device: str, proc: Path = PROC) -> list[tuple[int, str]]:
    """(process id, name) of each process that has a port open, as far as this user may see."""
    target = os.path.realpath(device)
    found: list[tuple[int, str]] = []
    for folder in sorted(proc.glob("[0-9]*"), key=lambda one: int(one.name)):
        if int(folder.name) != os.getpid() and _has_open(folder / "fd", target):
            found.append((int(folder.name), _name(folder)))
    return found


def _has_open(folder: Path, target: str) -> bool:
    try:
        return any(os.path.realpath(link) == target for link in folder.iterdir())
    except OSError:  # the process has ended, or belongs to another user
        return False


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"
