"""The path of a technician leans on nothing that Linux alone has.

Windows itself is not here. These tests refuse the modules that it lacks, look for files that are
read in the encoding of the system, and check the code against the types of its Python.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import types
from pathlib import Path

import pytest
from tests.packaging.installed import ROOT, TOOLS, Installed
from tests.tidy.source import files, name

from tallypost import locking

MISSING = ("fcntl", "grp", "pwd", "termios", "tty", "pty", "resource", "syslog", "readline")
# These need a compiler or are programs of a checkout.
CHECKOUT_ONLY = {
    "tallypost.__main__", "tallypost.building.build", "tallypost.building.image",
    "tallypost.building.package_data",
}  # fmt: skip
# They need the packages of the role backend.
SERVER_ONLY = ("tallypost.backend.api.", "tallypost.backend.service.metrics")
IMPORT_ALL = """
import builtins, importlib, sys
real, missing = builtins.__import__, set(sys.argv[1].split())
def refuse(name, scope=None, *rest):
    if name in missing and (scope or {}).get("__name__", "").startswith("tallypost"):
        raise ImportError("Windows has no " + name)
    return real(name, scope, *rest)
builtins.__import__ = refuse
for module in sys.argv[2:]:
    importlib.import_module(module)
print(len(sys.argv[2:]))
"""


def modules() -> list[str]:
    found = (path.relative_to(TOOLS).with_suffix("") for path in files("tools/tallypost/*.py"))
    dotted = (".".join(path.parts).removesuffix(".__init__") for path in found)
    return sorted(one for one in set(dotted) - CHECKOUT_ONLY if not one.startswith(SERVER_ONLY))


def run_imports(
    tool: Installed, *names: str, missing: tuple[str, ...] = MISSING
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool.folder / "bin" / "python", "-c", IMPORT_ALL, " ".join(missing), *names],
        cwd=tool.elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_each_module_of_a_technician_is_imported_without_what_windows_lacks(
    tool: Installed,
) -> None:
    ran = run_imports(tool, *modules())
    assert (ran.returncode, ran.stdout) == (0, f"{len(modules())}\n"), ran.stderr
    assert len(modules()) > 55
    refused = run_imports(tool, "tallypost.locking", missing=("contextlib",))
    assert refused.returncode == 1 and "Windows has no contextlib" in refused.stderr


def test_the_types_of_windows_know_every_name_that_is_used(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--platform", "win32", "--cache-dir", tmp_path / "cache",
         "tools/tallypost"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


def without_encoding(source: str) -> list[int]:
    """Lines on which a text file is opened in the encoding of the system."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(key.arg == "encoding" for key in node.keywords):
            continue
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in ("read_text", "write_text"):
            found.append(node.lineno)
        elif isinstance(function, ast.Name) and function.id == "open":
            mode = node.args[1] if len(node.args) > 1 else None
            if not (isinstance(mode, ast.Constant) and "b" in str(mode.value)):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", files("tools/tallypost/*.py"), ids=name)
def test_text_files_are_read_and_written_as_utf_8(path: Path) -> None:
    assert without_encoding(path.read_text()) == []


def test_a_file_in_the_encoding_of_the_system_is_found() -> None:
    assert without_encoding("open(a)\nopen(a, 'rb')\np.read_text()\np.write_text(b)\n") == [
        1,
        3,
        4,
    ]
    assert without_encoding("open(a, encoding='x')\np.read_text(encoding='x')\n") == []


def test_a_lock_waits_for_the_other_process(tmp_path: Path) -> None:
    holder = "import sys, pathlib; from tallypost.locking import locked\n" + (
        "with locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "new" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", holder, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdout and first.stdout.readline() == "held\n"
        with subprocess.Popen(
            [sys.executable, "-c", holder, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as second:  # fmt: skip
            with pytest.raises(subprocess.TimeoutExpired):
                second.communicate(timeout=0.5)
            first.kill()
            assert second.communicate()[0] == "held\n"


def test_the_lock_of_windows_is_asked_for_until_it_is_given(tmp_path: Path) -> None:
    asked: list[tuple[int, int]] = []

    def give_at_third(_file: int, mode: int, length: int) -> None:
        asked.append((mode, length))
        if len(asked) < 3:
            raise OSError("resource deadlock avoided")

    windows = types.ModuleType("of_windows")
    source = Path(locking.__file__).read_text().replace("sys.platform", '"win32"')
    sys.modules["msvcrt"] = types.SimpleNamespace(  # type: ignore[assignment]
        LK_LOCK=1, locking=give_at_third
    )
    try:
        exec(compile(source, "locking.py", "exec"), vars(windows))  # noqa: S102
    finally:
        del sys.modules["msvcrt"]
    with windows.locked(tmp_path / "lock"):
        assert asked == [(1, 1)] * 3
