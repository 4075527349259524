"""Bundles: the same program in fewer modules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tallypost.building.sources.bundles import BUNDLES, BundleError, bundled

MICROPYTHON = Path(sys.executable).parent / "micropython"
BASE = """\
\"\"\"The base.\"\"\"

import struct
from micropython import const

LIMIT = 7
_HEAD = "<H"
_SIZE = const(2)


def _write(value):
    return struct.pack(_HEAD, value)[:_SIZE]


class Base:
    def take(self, value):
        return _write(value), LIMIT
"""
USER = """\
import struct

from lib.base import LIMIT, Base
from other import beside

_HEAD = "<I"
_kept = 1


class User(Base):
    def take(self, _write):
        global _kept
        _kept += 1
        from lib.late import later as at_last

        return super().take(_write), struct.pack(_HEAD, LIMIT), _kept, beside(), at_last()
"""
SOURCES = {
    "a/lib/__init__.mpy": "from lib.base import Base as Root\n",
    "a/lib/base.mpy": BASE,
    "a/lib/late.mpy": "from lib.base import _write\n\n\ndef later():\n    return _write(3)\n",
    "a/user.mpy": USER,
    "a/other.mpy": "def beside():\n    return 5\n",
    "a/start.mpy": "from lib import Root\nfrom user import User\nprint(Root().take(1))\n"
    "print(User().take(2))\n",
}
MODULES = {"whole": ("user", "lib", "lib.base")}


def _printed(sources: dict[str, str], folder: Path) -> str:
    for file, text in sources.items():
        path = (folder / file.removeprefix("a/")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    result = subprocess.run(
        [MICROPYTHON, "start.py"], cwd=folder, capture_output=True, text=True, check=True
    )
    return result.stdout


def test_a_bundle_does_what_its_modules_do(tmp_path: Path) -> None:
    joined = bundled(SOURCES, MODULES)
    assert sorted(joined) == ["a/lib/late.mpy", "a/other.mpy", "a/start.mpy", "a/whole.mpy"]
    apart = _printed(SOURCES, tmp_path / "apart")
    assert "b'\\x07\\x00\\x00\\x00'" in apart, "the second module used its own name"
    assert _printed(joined, tmp_path / "joined") == apart


def test_a_module_stands_after_those_that_it_imports_and_each_import_once() -> None:
    text = bundled(SOURCES, MODULES)["a/whole.mpy"]
    assert text.count("import struct") == 1 and "The base." not in text
    assert text.index("class Base") < text.index("class User(Base)")
    assert text.count("_HEAD = ") == 1 and text.count("_HEAD_2 = ") == 1


def test_without_one_of_its_modules_a_bundle_is_left_apart() -> None:
    few = {file: text for file, text in SOURCES.items() if file != "a/user.mpy"}
    assert bundled(few, MODULES) == few
    broken = SOURCES | {"a/other.mpy": "def :"}
    assert bundled(broken, MODULES) == broken


def test_sources_that_cannot_stand_in_one_module_are_refused() -> None:
    circle = {"a/x.mpy": "from y import b\na = 1\n", "a/y.mpy": "from x import a\nb = 1\n"}
    with pytest.raises(BundleError, match="import each other"):
        bundled(circle, {"z": ("x", "y")})
    twice = {"a/x.mpy": "def f():\n    pass\n", "a/y.mpy": "def f():\n    pass\n\n\ng(f=f)\n"}
    with pytest.raises(BundleError, match="y: f is also a name of another module"):
        bundled(twice, {"z": ("x", "y")})


def test_no_module_is_in_two_bundles_and_none_is_loaded_for_a_moment() -> None:
    modules = [module for bundle in BUNDLES.values() for module in bundle]
    assert len(modules) == len(set(modules))
    build = (Path(__file__).parents[3] / "firmware" / "build.py").read_text()
    once = (Path(__file__).parents[3] / "firmware" / "counting" / "build.py").read_text()
    for module in modules:
        assert "." not in module or f'"{module}"' not in build + once, module
