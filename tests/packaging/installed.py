"""Installs a wheel into an environment that has the packages of one role, without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
LOCKS = ROOT / "requirements"
_BACKEND = """
import os, sys
sys.path.insert(0, os.getcwd())
import wheel_backend
os.makedirs(sys.argv[2], exist_ok=True)
{"wheel": wheel_backend.build_wheel, "sdist": wheel_backend.build_sdist}[sys.argv[1]](sys.argv[2])
"""
_PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)
_LIMIT_S = 120


def pins(role: str) -> dict[str, tuple[str, str]]:
    """Version and marker ("" for every system) of each package in the lock of a role."""
    found = _PIN.findall((LOCKS / f"{role}.lock").read_text())
    return {name: (version, marker) for name, version, marker in found}


def build_package(kind: str, source: Path, target: Path) -> Path:
    """A "wheel" or an "sdist" of the package in `source`, by the hook of its build backend."""
    ran = subprocess.run(
        [sys.executable, "-c", _BACKEND, kind, target],
        cwd=source, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    [built] = target.iterdir()
    return built


@dataclass(frozen=True)
class Installed:
    """folder: of the environment. Programs run in a folder beside it, far from any checkout."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "bin" / "tallypost"

    @property
    def packages(self) -> Path:
        [found] = (self.folder / "lib").glob("python3.*/site-packages")
        return found

    @property
    def elsewhere(self) -> Path:
        return self.folder.parent / "elsewhere"

    def __call__(self, *words: object, **environ: str) -> subprocess.CompletedProcess[str]:
        """`tallypost WORDS` on a machine without git, make or a compiler in its PATH."""
        plain = {"PATH": "/nowhere", "HOME": str(self.elsewhere), "LANG": "C.UTF-8"}
        return subprocess.run(
            [self.program, *map(str, words)],
            cwd=self.elsewhere, env=plain | {"COLUMNS": "200"} | environ,
            capture_output=True, text=True, errors="replace", timeout=_LIMIT_S, check=False,
        )  # fmt: skip


def install(wheel: Path, role: str, folder: Path) -> Installed:
    """A new environment: the wheel by pip, the packages of the role as links to our own."""
    made = Installed(folder / "environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made.folder], check=True)
    for name, (_version, marker) in pins(role).items():
        if marker != "sys_platform == 'win32'":
            _link(name, made.packages)
    made.elsewhere.mkdir()
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", made.folder / "bin" / "python", "install",
         "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", wheel],
        check=True,
    )  # fmt: skip
    return made


def _link(name: str, packages: Path) -> None:
    """Make a distribution of this environment known in another one."""
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        target = packages / top
        if not target.exists():
            target.symlink_to(Path(str(found.locate_file(top))))
