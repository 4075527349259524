"""The wiring file: wires on the board, and the network in its reach.

    pins = [18, 19]          # an output and an input, connected by a wire
    uart = [17, 16]          # TX and RX of UART 1, connected by a wire ...
    uart_pin = 21            # ... and to this input as well
    [network]
    ssid = "workshop"
    password = "..."
    host = "192.168.1.20"    # this machine, as the board sees it

All keys are optional. Checks that need a missing one are skipped by name.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError

_PAIRS = {"pins", "uart"}
_NETWORK = {"ssid", "password", "host"}


@dataclass(frozen=True)
class Network:
    ssid: str
    password: str
    host: str


@dataclass(frozen=True)
class Wiring:
    pins: tuple[int, int] | None = None
    uart: tuple[int, int] | None = None
    uart_pin: int | None = None
    network: Network | None = None

    def params(self) -> dict[str, Any]:
        """Parameters of the scripts, without the network."""
        return {"pins": self.pins, "uart": self.uart, "uart_pin": self.uart_pin}


def load(path: Path) -> Wiring:
    """Read a wiring file. Raises ToolError naming the wrong key."""
    hint = "tests/seam/README.md shows one"
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", hint) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(f"{path}: {error}", hint) from error
    try:
        return _wiring(table)
    except ValueError as error:
        raise ToolError(f"{path}: {error}", hint) from error


def _wiring(table: dict[str, Any]) -> Wiring:
    unknown = sorted(set(table) - _PAIRS - {"uart_pin", "network"})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}")
    pairs = {key: _pair(key, table[key]) for key in _PAIRS if key in table}
    pin = table.get("uart_pin")
    if pin is not None and not _is_pin(pin):
        raise ValueError(f"uart_pin: a GPIO is wanted, not {pin!r}")
    network = _network(table["network"]) if "network" in table else None
    return Wiring(pairs.get("pins"), pairs.get("uart"), pin, network)


def _pair(key: str, value: object) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(_is_pin(pin) for pin in value):
        if value[0] != value[1]:
            return value[0], value[1]
    raise ValueError(f"{key}: two different GPIOs are wanted, not {value!r}")


def _is_pin(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 56


def _network(value: object) -> Network:
    if not isinstance(value, dict) or set(value) != _NETWORK:
        raise ValueError("network: ssid, password and host are wanted")
    if not all(isinstance(text, str) for text in value.values()):
        raise ValueError("network: texts are wanted")
    return Network(value["ssid"], value["password"], value["host"])
