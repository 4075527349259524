"""The set-up of a checkout on machines that are not as they should be: one line, the next step."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment
import pip
import pytest
from tests.packaging.installed import ROOT, TOOLS

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
COPIED = (
    "Makefile", "tools/bootstrap.py", "tools/environment.py", "tools/pip_errors.py",
    "tools/tallypost", "firmware/core/version.py",
)  # fmt: skip
UNREACHABLE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull,
    "PIP_FIND_LINKS": "", "PIP_RETRIES": "1", "PIP_TIMEOUT": "5", "NO_PROXY": "*",
}  # fmt: skip
AS_ANOTHER = """
import runpy, sys
{before}
sys.argv = ["tools/bootstrap.py", *sys.argv[1:]]
sys.path.insert(0, "tools")
runpy.run_path("tools/bootstrap.py", run_name="__main__")
"""


@dataclass
class Checkout:
    """A checkout whose roles ask for no packages, so that its set-up needs no network."""

    root: Path
    python: str = sys.executable

    @classmethod
    def make(cls, root: Path) -> Checkout:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, root / name)
        (root / "requirements").mkdir()
        for role in ("build", "sim", "dev"):
            (root / "requirements" / f"{role}.lock").write_text(f"# packages of {role}\n")
        umqtt = root / ".build" / "third_party" / "umqtt"
        umqtt.mkdir(parents=True)
        (umqtt / "simple.py").touch()
        return cls(root)

    def set_up(
        self, role: str = "dev", before: str = "", **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """The set-up, after the statements `before` have changed its view of the machine."""
        more: dict[str, str] = how.pop("environ", {})
        environ = {**os.environ, **UNREACHABLE, **more}
        return subprocess.run(
            [self.python, "-c", AS_ANOTHER.format(before=before), "--role", role],
            cwd=self.root, env=environ, capture_output=True, text=True, check=False, **how,
        )  # fmt: skip

    def has_environment(self, role: str) -> Checkout:
        """Put one there in which only packages differ, without the seconds that pip takes."""
        venv = self.root / ".venv"
        subprocess.run([self.python, "-m", "venv", "--without-pip", venv], check=True)
        [packages] = venv.glob("lib/python3.*/site-packages")
        (packages / "pip").symlink_to(Path(pip.__file__).parent)
        facts = environment.wanted(role) | {"root": str(self.root), "lock": "of long ago"}
        (venv / "tallypost.json").write_text(json.dumps(facts))
        return self

    def stamp(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.root / ".venv" / "tallypost.json").read_text())
        return found


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout.make(tmp_path / "checkout")


def only_line(ran: subprocess.CompletedProcess[str]) -> str:
    """The error of a set-up that failed: its last line, after the steps that it has told of."""
    assert ran.returncode == 1 and ran.stdout == "", ran
    *steps, last = ran.stderr.splitlines()
    assert all(step.startswith(("[", "      ")) for step in steps), ran.stderr
    return last


# --- Python


def test_an_old_python_is_told_which_one_is_needed(checkout: Checkout) -> None:
    ran = checkout.set_up(before="sys.version_info = (3, 9, 2)")
    assert only_line(ran) == (
        "error: this is Python 3.9, Tallypost needs Python 3.11 or newer."
        " Run: make setup PYTHON=/usr/bin/python3 (or another Python of your system)"
    )


def test_even_a_very_old_python_can_read_as_far_as_that() -> None:
    source = (TOOLS / "bootstrap.py").read_text()
    ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(ast.parse(source)))
    code = source.partition("if sys.version_info")[0]
    assert code.rstrip().endswith("import sys")


@pytest.mark.parametrize("module", ("venv", "ensurepip"))
def test_a_python_that_cannot_make_environments(module: str, checkout: Checkout) -> None:
    before = (
        "import importlib.util as u; real = u.find_spec;"
        f" u.find_spec = lambda name: None if name == {module!r} else real(name)"
    )
    line = only_line(checkout.set_up(before=before))
    assert f"has no module '{module}'" in line and "apt install python3-venv" in line


def test_another_system_is_told_what_works_there(checkout: Checkout) -> None:
    before = "import platform; platform.machine = lambda: 'aarch64'"
    line = only_line(checkout.set_up("sim", before))
    assert line == (
        "error: the simulator needs Linux on x86_64, this is Linux on aarch64."
        " Building and flashing work here: make build, make flash."
    )


def test_a_machine_without_git(checkout: Checkout) -> None:
    line = only_line(checkout.set_up("dev", environ={"PATH": "/nowhere"}))
    assert line.startswith("error: the tests need git") and "apt install git" in line


# --- the folder


def test_a_checkout_that_has_moved_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.has_environment("dev").set_up()
    assert ran.returncode == 0, ran.stderr
    assert [line[:5] for line in ran.stderr.splitlines()] == ["[1/4]", "[2/4]", "set u"]
    again = checkout.set_up()
    assert (again.returncode, again.stderr) == (0, "")  # all of it is done
    moved = Checkout(tmp_path / "a b" / "ünder €")
    moved.root.parent.mkdir()
    checkout.root.rename(moved.root)
    ran = moved.set_up(environ={"LANG": "C", "LC_ALL": "", "PYTHONIOENCODING": "latin-1"})
    assert ran.returncode == 0 and f"has moved from {checkout.root}" in ran.stderr, ran.stderr
    program = subprocess.run(
        [moved.root / ".venv" / "bin" / "tallypost", "--version"],
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert program.stdout.startswith("tallypost "), program.stderr
    scripts = [path for path in (moved.root / ".venv" / "bin").glob("pip*") if path.is_file()]
    assert scripts and all(str(checkout.root) not in path.read_text() for path in scripts)


def test_a_larger_role_stays_when_a_smaller_one_is_asked_for(checkout: Checkout) -> None:
    checkout.has_environment("build")
    assert checkout.set_up("sim").returncode == 0
    assert checkout.set_up("build").stderr == "" and checkout.stamp()["role"] == "sim"
    assert checkout.set_up("dev").returncode == 0 and checkout.stamp()["role"] == "dev"
    (checkout.root / "requirements" / "dev.lock").write_text("# others\n")
    assert "dev.lock" in checkout.set_up("build").stderr and checkout.stamp()["role"] == "dev"


def test_an_environment_whose_python_has_gone_counts_as_none(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.has_environment("dev")
    python = checkout.root / ".venv" / "bin" / "python"
    monkeypatch.setattr(environment, "PYTHON", python)
    monkeypatch.setattr(environment, "STAMP", checkout.root / ".venv" / "tallypost.json")
    assert environment.present() == checkout.stamp() != {}
    python.unlink()
    python.symlink_to("/usr/bin/python3.gone")
    assert environment.present() == {}


@pytest.fixture
def of_another_user() -> Iterator[Checkout]:
    """A checkout in a folder that this test's second user may read, and not write to."""
    root = Path("/tmp") / f"tallypost-{os.getpid()}"
    made = Checkout.make(root / "checkout")
    made.python = SYSTEM_PYTHON
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield made
    shutil.rmtree(root)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_the_checkout_of_another_user(of_another_user: Checkout) -> None:
    line = only_line(of_another_user.set_up(user=NOBODY, extra_groups=[], group=NOBODY))
    assert line == (
        f"error: {of_another_user.root} belongs to root, and you may not write to it."
        " Clone the project into a folder of yours, and run the same command there."
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_an_environment_that_root_has_made(of_another_user: Checkout) -> None:
    root = of_another_user.root
    os.chown(root, NOBODY, NOBODY)
    os.chown(root / ".build", NOBODY, NOBODY)
    (root / ".venv").mkdir()
    line = only_line(of_another_user.set_up(user=NOBODY, extra_groups=[], group=NOBODY))
    assert f"{root}/.venv belongs to root" in line and "sudo chown -R nobody" in line


def test_git_lists_the_files_of_a_checkout_of_another_user() -> None:
    program = "from tests.tidy.source import files; print(len(files('*.py')))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
    )  # fmt: skip
    assert ran.returncode == 0 and int(ran.stdout) > 400, ran.stderr


# --- the network


def test_no_network(checkout: Checkout) -> None:
    pin = "esptool==5.6.0 --hash=sha256:" + "0" * 64
    (checkout.root / "requirements" / "build.lock").write_text(pin + "\n")
    line = only_line(checkout.has_environment("build").set_up("build"))
    assert line == (
        "error: there is no network: the package index does not answer."
        " Connect this machine, or set PIP_INDEX_URL or https_proxy, then run the same command"
        " again."
    )
    assert "127.0.0.1" in (checkout.root / ".build" / "pip.log").read_text()


def test_no_network_for_umqtt(checkout: Checkout) -> None:
    shutil.rmtree(checkout.root / ".build" / "third_party")
    ran = checkout.has_environment("build").set_up("build")
    *_steps, line = ran.stderr.splitlines()
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert "micropython-umqtt.simple-1.3.4.tar.gz" in line and "run: make setup" in line
