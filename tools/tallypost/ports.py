"""The serial ports of this machine: which there are, who may use them, who does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from serial.tools import list_ports

from tallypost.faults import ToolError

PROC = Path("/proc")
BRIDGES = {  # vendors of what sits between USB and a board's chip, and the kernel's drivers
    "10c4": ("CP210x", "cp210x"), "1a86": ("CH34x", "ch341"), "0403": ("FTDI", "ftdi_sio"),
    "303a": ("Espressif", "cdc_acm"), "2886": ("Seeed", "cdc_acm"),
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """device: its path. usb: vendor and product as 10c4:ea60, or "". what: how it calls itself."""

    device: str
    usb: str
    what: str
    serial: str


def found() -> list[Port]:
    """Ports behind USB, in order of their names: boards are nowhere else."""
    return [
        Port(
            port.device, f"{port.vid:04x}:{port.pid:04x}", port.product or port.description or "",
            port.serial_number or "",
        )
        for port in sorted(list_ports.comports(), key=lambda one: str(one.device))
        if port.vid is not None
    ]  # fmt: skip


def is_for_boards(port: Port) -> bool:
    """Whether a board may be behind it: others are not spoken to."""
    return port.usb.partition(":")[0] in BRIDGES


def the_only_one() -> str:
    """The port, when there is exactly one; raises ToolError naming them otherwise."""
    devices = [port.device for port in found()]
    if not devices:
        raise ToolError(
            "no board is connected", "plug one in with a data cable; tallypost doctor knows more"
        )
    if len(devices) > 1:
        raise ToolError(f"{len(devices)} ports: {', '.join(devices)}", "name one with --port")
    return devices[0]


def holders(device: str, proc: Path = PROC) -> list[tuple[int, str]]:
    """(process id, name) of who has a port open, as far as this user may see."""
    target = os.path.realpath(device)
    found: list[tuple[int, str]] = []
    for folder in sorted(proc.glob("[0-9]*"), key=lambda one: int(one.name)):
        if int(folder.name) != os.getpid() and _has_open(folder / "fd", target):
            found.append((int(folder.name), _name(folder)))
    return found


def _has_open(folder: Path, target: str) -> bool:
    try:
        return any(os.path.realpath(link) == target for link in folder.iterdir())
    except OSError:  # it has ended, or is somebody else's
        return False


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return "?"
