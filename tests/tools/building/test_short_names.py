"""Short private names: the same program, with less memory for names."""

import ast
import tokenize
from io import StringIO

from tallypost.building.sources.short_names import assign, shorten, shortened
from tests.tidy.source import ROOT

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


def test_names_of_strangers_share_short_forms() -> None:
    names = assign(SOURCES)
    assert names["_source"] in {names[name] for name in ("_FORM", "_ring", "_sent", "_link")}
    assert max(map(len, names.values())) == 2


def test_names_of_micropython_and_names_in_texts_stay() -> None:
    names = assign(SOURCES)
    assert not {"_io_queue", "_named", "__init__", "__class__", "set", "ring"} & set(names)
    assert "asyncio.core._io_queue" in shorten(SUB, names)


def test_names_of_a_third_partys_source_stay() -> None:
    assert "_sent" not in assign(SOURCES, ["self._sent = 1\n"])
    assert not set(assign(SOURCES, ["x._c = _d\n"]).values()) & {"_c", "_d"}


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
