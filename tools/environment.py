"""The steps of the set-up: virtual environment, packages of a role, umqtt.simple, image.

Runs on a bare Python with the standard library. A step that is done is not repeated, so a second
call neither waits nor needs a network. The configuration of pip (index, proxy, certificates) is
left alone.

A role is the purpose of an environment. Each holds the packages of the one before it:

    build  flash boards from this checkout
    sim    the simulator and the virtual board as well
    dev    the tests as well
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pip_errors
from pip_errors import SetupError

from tallypost.locking import locked

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "tallypost.json"
BUILD = ROOT / ".build"
LOCKS = ROOT / "requirements"
ROLES = ("build", "sim", "dev")
_INTERPRETER = ("Linux", "x86_64")  # of the simulator's MicroPython
_FORMAT = 3  # of the environment: another number makes every one anew
_WRAPPER = """#!/bin/sh
PYTHONPATH={root} exec {python} -m tallypost "$@"
"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- the machine


def check_machine(role: str) -> None:
    """The needs of the set-up are met by this machine. Raises SetupError otherwise."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"{sys.executable} has no module '{module}' and cannot make an environment",
                "As root run: apt install python3-venv, then the same command again",
            )
    _check_folder(ROOT)
    for folder in (VENV, BUILD):
        if folder.exists():
            _check_folder(folder)
    machine = platform.system(), platform.machine()
    if role != "build" and machine != _INTERPRETER:
        raise SetupError(
            f"the simulator needs Linux on x86_64, this is {' on '.join(machine)}",
            "Building and flashing work here: make build, make flash",
        )
    if role == "dev" and not shutil.which("git"):
        raise SetupError(
            "the tests need git, which is missing here",
            "As root run: apt install git, then the same command again",
        )


def _check_folder(folder: Path) -> None:
    if os.access(folder, os.W_OK | os.X_OK):
        return
    owner = _name_of(folder.stat().st_uid)
    if folder == ROOT:
        advice = "Clone the project into a folder of yours, and run the same command there"
    else:
        advice = f"Run: sudo chown -R {_name_of(os.getuid())} {_quoted(folder)}"
    raise SetupError(f"{folder} belongs to {owner}, and you may not write to it", advice)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


# --- the environment


def wanted(role: str) -> dict[str, str]:
    """The facts that an environment of a role is made from."""
    lock = (LOCKS / f"{role}.lock").read_bytes()
    return {
        "format": str(_FORMAT),
        "role": role,
        "lock": hashlib.sha256(lock).hexdigest(),
        "root": str(ROOT),
        "python": platform.python_version().rpartition(".")[0],
    }


def present() -> dict[str, str]:
    """The facts that the environment was made from; empty without a usable one."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        probe = "import platform; print(platform.python_version().rpartition('.')[0])"
        result = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=True)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    is_usable = isinstance(stamp, dict) and stamp.get("python") == result.stdout.strip()
    return stamp if is_usable else {}


def is_current(role: str, stamp: dict[str, str]) -> bool:
    """Whether the environment is that of the role, or of a larger one."""
    larger = ROLES[ROLES.index(role) :]
    return any(stamp == wanted(one) for one in larger)


def role_to_install(role: str, stamp: dict[str, str]) -> str:
    """The role, or the larger one that the environment has had already."""
    known = [one for one in (role, stamp.get("role", "")) if one in ROLES]
    return max(known, key=ROLES.index)


def make_environment(stamp: dict[str, str], role: str) -> None:
    """A new environment, unless the one that is there only lacks packages."""
    new = wanted(role)
    fixed = ("format", "root", "python")
    if stamp and all(stamp.get(key) == new[key] for key in fixed):
        STAMP.unlink()
        return
    if stamp and stamp.get("root") != new["root"]:
        say(f"      the checkout has moved from {stamp.get('root')}")
    # From inside an environment the Python that it was made with: .venv itself is removed here.
    python = getattr(sys, "_base_executable", sys.executable)
    result = subprocess.run(
        [python, "-m", "venv", "--clear", str(VENV)],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if result.returncode:
        last = (result.stdout + result.stderr).strip().splitlines()[-1:]
        raise SetupError(
            f"{python} -m venv failed: {' '.join(last)}",
            "As root run: apt install python3-venv, then the same command again",
        )


def install_packages(role: str) -> None:
    """pip, with every archive checked against the hash in the lock of the role."""
    lock = LOCKS / f"{role}.lock"
    total = lock.read_text(encoding="utf-8").count("==")
    command: list[str | Path] = [PYTHON, "-m", "pip", "install", "--require-hashes", "--no-input"]
    command += ["--disable-pip-version-check", "-r", lock]
    lines = []
    for line in _output_of(command):
        lines.append(line)
        if line.startswith(("Collecting ", "Requirement already")):
            seen = sum(one.startswith(("Collecting ", "Requirement already")) for one in lines)
            _show_progress(f"      {min(seen, total)} of {total} packages")
    _show_progress("")
    (BUILD / "pip.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if lines and lines[-1].startswith("exit status"):
        raise pip_errors.explain(lines[:-1], BUILD / "pip.log")


def _output_of(command: list[str | Path]) -> Iterator[str]:
    """The lines of a program; a last one tells of its failure."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace",
    ) as program:  # fmt: skip
        assert program.stdout
        yield from (line.rstrip() for line in program.stdout)
    if program.returncode:
        yield f"exit status {program.returncode}"


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write_command() -> None:
    """`tallypost` of this checkout, as a module and as a program of the environment."""
    folder = next((VENV / "lib").glob("python3.*")) / "site-packages"
    (folder / "tallypost.pth").write_text(f"{ROOT / 'tools'}\n", encoding="utf-8")
    path = VENV / "bin" / "tallypost"
    path.write_text(_WRAPPER.format(root=_quoted(ROOT), python=_quoted(PYTHON)), encoding="utf-8")
    path.chmod(0o755)


def _quoted(path: Path) -> str:
    """For a shell."""
    return "'" + str(path).replace("'", "'\\''") + "'"


# --- all of it


def set_up(role: str, board: str) -> None:
    """Do the steps that are not done yet. Without a board no image is built."""
    began = time.monotonic()
    check_machine(role)
    BUILD.mkdir(exist_ok=True)
    with locked(BUILD / "setup.lock"):
        stamp = present()
        is_new = not is_current(role, stamp)
        if is_new:
            role = role_to_install(role, stamp)
            say("[1/4] virtual environment .venv")
            make_environment(stamp, role)
            say(f"[2/4] packages of requirements/{role}.lock (once, a minute or two)")
            install_packages(role)
            write_command()
            STAMP.write_text(json.dumps(wanted(role), indent=1) + "\n", encoding="utf-8")
        if not (BUILD / "third_party" / "umqtt" / "simple.py").exists():
            say("[3/4] umqtt.simple for the node")
            _run_tool("tallypost.building.third_party")
        if board:
            if is_new:
                say(f"[4/4] image of {board}")
            _run_tool("tallypost", "build", "--board", board, "--quiet")
    if is_new:
        say(f"set up in {time.monotonic() - began:.0f} s")


def _run_tool(*module: str) -> None:
    """One of our own modules in the environment. It says itself why it failed."""
    if status := subprocess.run([PYTHON, "-m", *module], cwd=ROOT, check=False).returncode:
        sys.exit(status)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/bootstrap.py", description="Set this checkout up."
    )
    parser.add_argument("--role", choices=ROLES, default=ROLES[-1])
    parser.add_argument("--board", default="", help="build the image of this board, too")
    args = parser.parse_args()
    try:
        set_up(args.role, args.board)
    except SetupError as error:
        say(f"error: {error}")
        return 1
    except OSError as error:
        say(f"error: {error}. Correct that, then run the same command again.")
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted. The same command continues where it stopped.")
        return 130
    return 0
