"""Set-up without thought: virtual environment, packages, umqtt.simple and the image of a board.

Runs on a bare Python (standard library only) as `python3 -m tools.bootstrap [BOARD]`; a step that is
done is recognised by a stamp, so that a second call neither waits nor needs a network. What pip
is configured with (index, proxy, certificates, wheels) is left alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "tallypost.stamp"
BUILD = ROOT / ".build"
OLDEST = (3, 11)
_WRAPPER = """#!/bin/sh
PYTHONPATH={root} exec {python} -m tallypost "$@"
"""


class SetupError(Exception):
    """A step failed: (step, reason, what to do)."""

    def __init__(self, step: str, reason: str, advice: str) -> None:
        super().__init__(f"set-up failed at '{step}': {reason}\n  to do: {advice}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_python() -> None:
    """Refuse an interpreter that is too old or that cannot make environments."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        raise SetupError(
            "python",
            f"Python {have} is too old, 3.11 is the least",
            "make PYTHON=python3.11 setup",
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                "python",
                f"this Python has no '{module}' and cannot make a virtual environment",
                "apt install python3-venv (as root), then the same command again",
            )


def wanted_stamp() -> str:
    """What the environment must have been made from."""
    digest = hashlib.sha256(LOCK.read_bytes())
    digest.update(f"2 {sys.version_info[:2]} {ROOT}".encode())
    return digest.hexdigest()


def is_current() -> bool:
    usable = (VENV / "bin" / "python").exists()
    return usable and STAMP.exists() and STAMP.read_text() == wanted_stamp()


def make_environment() -> None:
    if (VENV / "bin" / "python").exists() and (VENV / "bin" / "pip").exists():
        STAMP.unlink(missing_ok=True)
        return
    result = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        last = (result.stdout + result.stderr).strip().splitlines()[-1:]
        raise SetupError(
            "environment", f"python3 -m venv: {' '.join(last)}",
            "apt install python3-venv (as root), remove .venv, then the same command again",
        )  # fmt: skip


def install_packages() -> None:
    """pip, with every archive checked against the hash in requirements.lock."""
    total = sum("==" in line for line in LOCK.read_text().splitlines())
    command: list[str | Path] = [
        VENV / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--require-hashes",
    ]
    command += ["--disable-pip-version-check", "--no-input", "-r", LOCK]
    last: deque[str] = deque(maxlen=6)
    seen = 0
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout
        for line in pip.stdout:
            last.append(line.rstrip())
            if line.startswith(("Collecting ", "Requirement already")):
                seen += 1
                show_progress(f"      {min(seen, total)} of {total} packages")
    show_progress("")
    if pip.returncode:
        raise SetupError(
            "packages",
            "pip could not install requirements.lock:\n    " + "\n    ".join(last),
            "check the network (or PIP_INDEX_URL, PIP_CERT, https_proxy), then the same command",
        )


def show_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def write_path() -> None:
    """The package `tallypost` of this checkout is importable in the environment."""
    folder = next((VENV / "lib").glob("python3.*")) / "site-packages"
    (folder / "tallypost.pth").write_text(f"{ROOT / 'tools'}\n")


def write_command() -> None:
    path = VENV / "bin" / "tallypost"
    path.write_text(_WRAPPER.format(root=quoted(ROOT), python=quoted(VENV / "bin" / "python")))
    path.chmod(0o755)


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def in_environment(step: str, *module: str) -> None:
    """Run one of our own modules with the packages; it prints its own errors."""
    command = [str(VENV / "bin" / "python"), "-m", *module]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SetupError(step, "see the line above", f"then: make {step}")


def run(board: str | None) -> None:
    """Do what is not done yet; without a board no image is built."""
    began = time.monotonic()
    fresh = not is_current()
    check_python()
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "setup.lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not is_current():
            say("[1/4] virtual environment .venv")
            make_environment()
            say("[2/4] packages of requirements.lock (once; a minute or two)")
            install_packages()
            write_path()
            write_command()
            STAMP.write_text(wanted_stamp())
        if not (BUILD / "third_party" / "umqtt" / "simple.py").exists():
            say("[3/4] umqtt.simple for the node")
            in_environment("setup", "tallypost.building.third_party")
        if board:
            if fresh:
                say(f"[4/4] image of {board}")
            in_environment("build", "tallypost", "build", "--board", board, "--quiet")
    if fresh:
        say(f"set up in {time.monotonic() - began:.0f} s")


def main() -> int:
    try:
        run(sys.argv[1] if len(sys.argv) > 1 else None)
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted; the same command goes on where it stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
