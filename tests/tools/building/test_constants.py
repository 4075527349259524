"""Public constants leave the image, and the program stays the same."""

import ast

import pytest

from tallypost.building.sources.constants import inlined

RECORD = """\
from micropython import const

_HEAD = const(4)
BINS = const(_HEAD * 5)
FRAMES = 1 << 3  # of a batch
NAME = "record"
LATER = 7
OK, BAD = 1, 2


def size():
    return BINS + FRAMES + _HEAD
"""
PACKAGE = "from wire.record import BINS, NAME, size\n"
USER = """\
from wire import (
    BINS,
    NAME,
)
from wire.record import BAD, FRAMES, OK


def total(count=BINS):
    from wire.record import LATER

    return count * FRAMES, LATER, NAME, OK - BAD
"""
SOURCES = {
    "a/wire/record.mpy": RECORD,
    "a/wire/__init__.mpy": PACKAGE,
    "a/user.mpy": USER,
}


def run(sources: dict[str, str]) -> dict[str, object]:
    """The names of the module `user`, in a Python that knows `const` and these modules alone."""
    files = {
        file.removeprefix("a/").removesuffix(".mpy").removesuffix("/__init__"): text
        for file, text in sources.items()
    }
    modules: dict[str, dict[str, object]] = {"micropython": {"const": int}}

    def load(name: str, *_rest: object) -> object:
        path = name.replace(".", "/")
        if path not in modules:
            modules[path] = {"__builtins__": {**vars(__import__("builtins")), "__import__": load},
                             "const": int}  # fmt: skip
            exec(files[path], modules[path])  # noqa: S102
        return type("Module", (), {k: staticmethod(v) if callable(v) else v
                                   for k, v in modules[path].items()})  # fmt: skip

    load("user")
    return modules["user"]


def test_the_program_stays_the_same() -> None:
    for sources in (SOURCES, inlined(SOURCES, set())):
        total = run(sources)["total"]
        assert callable(total) and total() == (160, 7, "record", -1)


def test_nothing_is_left_of_a_constant() -> None:
    changed = inlined(SOURCES, set())
    for text in changed.values():
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert not {"BINS", "FRAMES", "LATER", "OK", "BAD"} & names
        assert "from micropython" not in text
    assert (
        "from wire.record import NAME, size; _BINS = const(20)" in changed["a/wire/__init__.mpy"]
    )


def test_each_line_stays_in_its_place() -> None:
    for file, text in inlined(SOURCES, set()).items():
        lines = SOURCES[file].splitlines()
        assert len(text.splitlines()) == len(lines)
        assert [n for n, line in enumerate(lines) if line.startswith("def ")] == [
            n for n, line in enumerate(text.splitlines()) if line.startswith("def ")
        ]


@pytest.mark.parametrize(
    "text",
    [
        "RATE = 3\nRATE = 4\n",  # it changes
        "RATE = 3\n\n\ndef set(n):\n    global RATE\n    RATE = n\n",
        "def rate():\n    return RATE\n\n\nRATE = 3\n",  # the compiler would not know it yet
        "RATE = (\n    3\n)\n",  # it does not fold these
        "RATE = len('abc')\n",
        "RATE = 0.5\n",
        "RATE = True\n",
        "RATE, OTHER = 3, 4\nprint(table.OTHER)\n",
        "RATE, rate = 3, 4\n",
        "rate = 3\n",
        "RATE = 3\nprint(table.RATE)\n",  # an attribute of anything
    ],
)
def test_what_is_no_constant_stays(text: str) -> None:
    sources = {"a/rates.mpy": text, "a/user.mpy": "from rates import RATE, rate\n"}
    assert inlined(sources, set()) == sources


def test_a_name_that_must_stay_stays() -> None:
    assert inlined(SOURCES, {"BINS", "FRAMES", "LATER", "OK"})["a/user.mpy"] == USER


def test_a_private_name_of_the_same_word_is_kept_apart() -> None:
    sources = {"a/rates.mpy": "RATE = 3\n", "a/user.mpy": "from rates import RATE\n\n_RATE = 5\n"}
    assert "_RATE_ = const(3)" in inlined(sources, set())["a/user.mpy"]


def test_an_import_by_another_name_stays() -> None:
    sources = {"a/rates.mpy": "RATE = 3\n", "a/user.mpy": "from rates import RATE as rate\n"}
    assert inlined(sources, set()) == sources
