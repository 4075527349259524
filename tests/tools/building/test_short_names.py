"""Short names: the same program, with less memory for names."""

import ast
import subprocess
import sys
import tokenize
from io import StringIO
from pathlib import Path

from tallypost.building.sources import rom_names
from tallypost.building.sources.names_in_use import names_in
from tallypost.building.sources.short_names import assign, shorten, shortened
from tests.tidy.source import ROOT

MICROPYTHON = Path(sys.executable).parent / "micropython"

BASE = """\
import asyncio

_FORM = "<HH"


class Outbox:
    def __init__(self, ring):
        self._ring = ring
        self._sent = 0

    def _read(self, seq):
        return self._ring, _FORM
"""
SUB = """\
from outbox import Outbox


class Publisher(Outbox):
    def __init__(self, ring, link):
        super().__init__(ring)
        self._link = link
        self._queue = asyncio.core._io_queue

    def next(self):
        return self._read(self._sent), getattr(self, "_named"), self._named
"""
OTHER = """\
class Clock:
    def __init__(self):
        self._source = self._named = None
        self.set = self.__class__
        _a = 1
"""
SOURCES = {"outbox": BASE, "publisher": SUB, "clock": OTHER}


def test_a_name_has_one_form_in_base_and_subclass() -> None:
    names = assign(SOURCES)
    for module in ("outbox", "publisher"):
        text = shorten(SOURCES[module], names)
        assert f"self.{names['_read']}(" in text or f"def {names['_read']}(" in text
        assert "_read" not in text and "_sent" not in text


def test_names_that_can_meet_on_an_object_differ() -> None:
    names = assign(SOURCES)
    met = [names[name] for name in ("_FORM", "_ring", "_sent", "_read", "_link", "_queue")]
    assert len(set(met)) == len(met)


def test_names_of_strangers_share_forms() -> None:
    names = assign(SOURCES)
    strangers = ("Clock", "_source")
    assert {names[name] for name in strangers} < {names[n] for n in set(names) - set(strangers)}


def test_an_attribute_that_comes_from_outside_can_meet_any_name() -> None:
    names = assign({**SOURCES, "build": "def build(log):\n    log.on_line = 1\n"})
    assert list(names.values()).count(names["on_line"]) == 1


def test_new_names_are_in_rom_while_there_are_any() -> None:
    names = assign(SOURCES)
    assert set(names.values()) < rom_names.IN_ROM and not set(names.values()) & set(SUB.split())


def test_parameters_of_strangers_share_forms() -> None:
    one, other = "def first_of(many):\n    pass\n", "def last_of(several):\n    pass\n"
    names = assign({"one": one, "other": other})
    assert names["many"] == names["several"] != names["first_of"] == names["last_of"]


def test_names_of_micropython_and_names_in_texts_stay() -> None:
    names = assign(SOURCES)
    assert not {"_io_queue", "_named", "__init__", "__class__", "set", "super"} & set(names)
    assert "asyncio.core._io_queue" in shorten(SUB, names)


def test_what_a_call_names_stays() -> None:
    """`event(kind, **details)` makes keys of JSON of its keywords."""
    assert "cause" not in assign({"a": "def f(cause):\n    event(cause=1)\n"})


def test_what_a_module_of_micropython_has_stays() -> None:
    text = "import esp32\nfrom machine import wobble\n\n\ndef spin():\n    pass\n\n\n"
    text += "def wobble():\n    esp32.spin()\n"
    assert not {"spin", "wobble", "machine", "esp32"} & set(assign({"a": text}))


def test_the_names_of_modules_stay() -> None:
    names = assign({"a/core/log.mpy": "log = 1\n", "a/app.mpy": "from core.log import log\n"})
    assert not names


def test_names_of_a_third_partys_source_stay() -> None:
    assert "_sent" not in assign(SOURCES, {"_sent"})
    forms = set(assign(SOURCES).values())
    assert not set(assign(SOURCES, forms).values()) & forms


def test_micropython_has_what_the_list_says() -> None:
    """Names that the interpreter has, and the device code uses, cost nothing and stay."""
    script = "import sys\nfor name in sys.argv[1:]:\n    m = __import__(name)\n"
    script += "    for n in dir(m):\n        print(n)\n        for k in dir(getattr(m, n)):\n"
    script += "            print(k)\n"
    modules = "builtins array asyncio binascii collections gc hashlib io json math os random"
    command = [MICROPYTHON, "-c", script, *modules.split(), "select", "socket", "struct", "time"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    there = {name for name in ran.stdout.split() if not name.startswith("_")}
    used = set()
    for folder in ("firmware", "lib", "boards"):
        for path in (ROOT / folder).rglob("*.py"):
            used |= set(names_in(path.read_text()))
    assert len(there) > 400 and there & used <= rom_names.IN_ROM | rom_names.OF_PORT


def test_the_shims_have_no_name_that_the_list_lacks() -> None:
    shims = set()
    for module in ("machine", "network", "esp32", "pcnt", "bus"):
        (path,) = (ROOT / "simulator" / "device").rglob(f"{module}.py")
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                shims |= {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    shims = {name for name in shims if not name.startswith("_")}
    assert len(shims) > 30 and not shims - rom_names.IN_ROM - rom_names.OF_PORT


def test_a_source_that_is_no_python_is_left_to_the_compiler() -> None:
    assert set(shortened({**SOURCES, "broken": "def broken(:\n"})) == set(SOURCES)


def test_every_line_stays_in_its_place() -> None:
    names = assign(SOURCES)
    for source in SOURCES.values():
        short = shorten(source, names)
        assert len(short.splitlines()) == len(source.splitlines())
        assert len(list(ast.walk(ast.parse(short)))) == len(list(ast.walk(ast.parse(source))))


def test_a_name_of_the_device_code_keeps_its_meaning() -> None:
    """Back again: in each file a short form stands for one name alone."""
    paths = [*(ROOT / "firmware").rglob("*.py"), *(ROOT / "lib").rglob("*.py")]
    sources = {str(path): path.read_text() for path in paths}
    names = assign(sources)
    assert len(set(names.values())) < len(names) / 3
    assert len([name for name in names.values() if name in rom_names.IN_ROM]) > len(names) * 0.9
    for source in sources.values():
        short = shorten(source, names)
        used = {token.string for token in tokenize.generate_tokens(StringIO(source).readline)}
        back = {names[name]: name for name in used & set(names)}
        assert shorten(short, back) == source


def test_no_device_code_relies_on_an_assert() -> None:
    """The image is compiled without them (`image.py`)."""
    for folder in ("firmware", "lib", "boards"):
        for path in (ROOT / folder).rglob("*.py"):
            found = [n.lineno for n in ast.walk(ast.parse(path.read_text()))
                     if isinstance(n, ast.Assert)]  # fmt: skip
            assert not found, f"{path}: {found}"
