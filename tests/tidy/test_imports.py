"""The import rules of ARCHITECTURE.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tidy.source import ROOT, files, imports, name

DEVICE_STDLIB = {
    "array", "asyncio", "binascii", "cryptolib", "errno", "gc", "hashlib", "io", "json", "math",
    "micropython", "random", "socket", "struct", "sys", "time",
}  # fmt: skip
HARDWARE = {"machine", "network", "esp32"}
PACKAGES = {path.name for path in (ROOT / "lib").iterdir() if path.is_dir()}
FIRMWARE = {path.stem for path in (ROOT / "firmware").iterdir()}
FIRMWARE_DEPTH_MAX = 8  # modules in the longest chain of imports
BY_NAME = "getattr(__" + "import__"  # neither a search nor a type checker finds such an import
DRIVERS = {"radar", "beam"}  # they fill the queue of `passage`
THIRD_PARTY = {"mqtt": {"umqtt"}}
# The port's own NTP client knows the epoch of the chip; TLS comes with the port. The start
# searches for modules in its own way.
PORT_MODULES = {
    "boot": {"os", "vfs"}, "main": {"vfs"},
    "delivery/mqtt/tls": {"ssl"},
}  # fmt: skip
FOR_BOARDS = {
    "esp32_board", "bare_radio", "radio", "core.rtc", "delivery.lorawan.modem_device",
    "delivery.lorawan.radio_device",
}  # fmt: skip
# From tools the simulator takes what makes a board's image and the product's own backend.
TOOLS_FOR_SIMULATOR = {
    "tallypost.backend.collector", "tallypost.backend.lorawan.collector",
    "tallypost.backend.record_macs",
    "tallypost.backend.stores.store", "tallypost.backend.stores.reading",
    "tallypost.building.build", "tallypost.faults", "tallypost.hardware.boards",
    "tallypost.hardware.chips", "tallypost.hardware.partitions",
    "tallypost.inventory.import_files", "tallypost.inventory.inventory", "tallypost.locking",
    "tallypost.provisioning.identity", "tallypost.provisioning.provision",
    "tallypost.security.authority",
}  # fmt: skip


def of_lib(package: str, source: str) -> Iterator[str]:
    allowed = DEVICE_STDLIB | {package, "wire"} | THIRD_PARTY.get(package, set())
    allowed |= {"passage"} if package in DRIVERS else set()
    yield from (got for got in imports(source) if got.split(".")[0] not in allowed)


def of_firmware(module: str, source: str) -> Iterator[str]:
    allowed = DEVICE_STDLIB | PACKAGES | FIRMWARE | PORT_MODULES.get(module, set())
    if module == "main":
        allowed = allowed | {"board"}
    yield from (got for got in imports(source) if got.split(".")[0] not in allowed)


def of_board(source: str) -> Iterator[str]:
    allowed = DEVICE_STDLIB | HARDWARE | DRIVERS | FOR_BOARDS
    yield from (got for got in imports(source) if not _is_below(got, allowed))


def _is_below(got: str, allowed: set[str]) -> bool:
    return any(got == one or got.startswith(f"{one}.") for one in allowed)


def of_simulator(source: str) -> Iterator[str]:
    """world and run: nothing of the device's side, and little of the tools."""
    for got in imports(source):
        top = got.split(".")[0]
        if top in PACKAGES | {"firmware", "lib", "boards"}:
            yield got
        elif top == "tallypost" and not _allowed_tool(got):
            yield got


def _allowed_tool(got: str) -> bool:
    """A module of the list, a name in one, or the package that contains one."""
    return any(f"{got}.".startswith(f"{ours}.") or f"{ours}.".startswith(f"{got}.")
               for ours in TOOLS_FOR_SIMULATOR)  # fmt: skip


def of_tools(source: str) -> Iterator[str]:
    forbidden = {"simulator", "firmware", "boards"} | (PACKAGES - {"wire"})
    yield from (got for got in imports(source) if got.split(".")[0] in forbidden)


def offences(path: Path) -> list[str]:
    source, parts = path.read_text(), path.relative_to(ROOT).parts
    if parts[0] == "lib":
        return list(of_lib(parts[1], source))
    if parts[0] == "firmware":
        return list(of_firmware("/".join(parts[1:]).removesuffix(".py"), source))
    if parts[0] == "boards":
        return list(of_board(source))
    if parts[0] == "tools":
        return list(of_tools(source))
    return list(of_simulator(source))


CHECKED = [
    path
    for path in files("lib/*.py", "firmware/*.py", "boards/*.py", "tools/*.py", "simulator/*.py")
    if "device" not in path.parts
]


@pytest.mark.parametrize("path", CHECKED, ids=name)
def test_imports_only_what_it_may(path: Path) -> None:
    assert offences(path) == []


def test_an_offender_is_found_in_every_part() -> None:
    assert list(of_lib("ring", "import machine")) == ["machine"]
    assert list(of_lib("ring", "from mqtt import Client")) == ["mqtt", "mqtt.Client"]
    assert list(of_firmware("app", "import board")) == ["board"]
    assert list(of_firmware("wifi", "import network")) == ["network"]
    assert list(of_board("import delivery.outbox")) == ["delivery.outbox"]
    assert list(of_simulator("def f():\n    from wire import record")) == ["wire", "wire.record"]
    assert list(of_simulator("from tallypost.flashing import rom")) == [
        "tallypost.flashing", "tallypost.flashing.rom"
    ]  # fmt: skip
    assert list(of_simulator("from tallypost.backend import listen")) == [
        "tallypost.backend.listen"
    ]
    assert list(of_simulator("from tallypost.backend.stores.store import Store")) == []
    assert list(of_tools("import simulator.world.chip.nvs")) == ["simulator.world.chip.nvs"]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; empty if there are none."""
    left = dict(graph)
    while left:
        leaves = [module for module, needs in left.items() if not needs & left.keys()]
        if not leaves:
            return sorted(left)
        for module in leaves:
            del left[module]
    return []


def test_firmware_imports_downwards_only() -> None:
    paths = {
        name(path).removeprefix("firmware/").removesuffix(".py").replace("/", "."): path
        for path in files("firmware/*.py")
    }
    graph = {
        module: {got for got in imports(path.read_text()) if got in paths}
        for module, path in paths.items()
    }
    assert len(graph["app"]) > 3 and cycle(graph) == []
    assert cycle({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == ["a", "b", "c"]
    assert depth(graph) <= FIRMWARE_DEPTH_MAX
    assert depth({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == 3


def depth(graph: dict[str, set[str]]) -> int:
    """Modules in the longest chain of imports. graph: without circles."""
    longest: dict[str, int] = {}

    def of(module: str) -> int:
        if module not in longest:
            longest[module] = 1 + max(map(of, graph[module]), default=0)
        return longest[module]

    return max(map(of, graph))


def test_no_module_is_loaded_by_a_name_that_is_put_together() -> None:
    assert [name(path) for path in files("*.py") if BY_NAME in path.read_text()] == []


def test_folders_of_tools_import_downwards_only() -> None:
    folders = (ROOT / "tools" / "tallypost").glob("[a-z]*")
    graph: dict[str, set[str]] = {path.name: set() for path in folders}
    for path in files("tools/tallypost/*/*.py"):
        needs = {got.split(".")[1] for got in imports(path.read_text()) if "tallypost." in got}
        graph[path.relative_to(ROOT).parts[2]] |= needs & graph.keys()
    graph = {folder: needs - {folder} for folder, needs in graph.items()}
    assert "hardware" in graph["flashing"] and cycle(graph) == []


DEVICE_CODE = files("lib/*.py", "firmware/*.py", "boards/*.py")


@pytest.mark.parametrize("path", DEVICE_CODE, ids=name)
def test_importing_a_device_module_does_nothing(path: Path) -> None:
    if path.name in ("boot.py", "main.py"):
        pytest.skip("what they are for is to act")
    assert acts(path.read_text()) == []


def acts(source: str) -> list[int]:
    """Lines of statements that do something when the module is imported."""
    quiet = (
        ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef,
        ast.Assign, ast.AnnAssign, ast.Assert,
    )  # fmt: skip
    body = ast.parse(source).body
    loud = [node for node in body if not isinstance(node, quiet)]
    return [
        node.lineno
        for node in loud
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]


def test_an_acting_module_is_found() -> None:
    assert acts('"""Text."""\nimport time\ntime.sleep(1)\n') == [3]
