"""Each marked message has its German, and the catalogue holds nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import polib
import pytest
from tests.tidy import messages
from tests.tidy.source import files, name

SOURCES = [path for path in files("tools/tallypost/*.py") if path.name != "i18n.py"]


def keys(found: list[messages.Message]) -> set[tuple[str, str]]:
    return {(message.text, message.plural) for message in found}


def of_catalogue() -> dict[tuple[str, str], polib.POEntry]:
    return {(entry.msgid, entry.msgid_plural): entry for entry in messages.catalogue()}


def test_each_message_of_the_sources_and_of_argparse_has_its_german() -> None:
    wanted = keys(messages.of_sources() + messages.of_argparse())
    translated = {key for key, entry in of_catalogue().items() if entry.translated()}
    assert wanted - translated == set(), "python -m tests.tidy.messages adds them to the catalogue"


def test_the_catalogue_holds_no_message_that_is_gone() -> None:
    wanted = keys(messages.of_sources() + messages.of_argparse())
    stale = {
        key for key, entry in of_catalogue().items()
        if key not in wanted and (messages.ARGPARSE, "") not in entry.occurrences
    }  # fmt: skip
    assert stale == set()


def test_the_catalogue_is_in_the_order_of_the_sources() -> None:
    old = messages.catalogue()
    new = messages.updated(messages.catalogue(), messages.of_sources() + messages.of_argparse())
    assert [str(entry) for entry in old] == [str(entry) for entry in new]


def test_no_text_is_both_a_message_and_the_singular_of_another() -> None:
    singular = {text for text, plural in of_catalogue() if plural}
    assert singular & {text for text, plural in of_catalogue() if not plural} == set()


def test_the_german_has_the_placeholders_of_the_english() -> None:
    names = messages.placeholders
    wrong = [
        german
        for entry in messages.catalogue()
        for german in ([entry.msgstr] if entry.msgstr else entry.msgstr_plural.values())
        if names(german) != names(entry.msgid_plural or entry.msgid)
    ]
    assert wrong == []


def test_placeholders_of_our_own_have_names() -> None:
    for text, _plural in keys(messages.of_sources()):
        assert all(name.isidentifier() for name in messages.placeholders(text)), text
    assert messages.placeholders("{b:.1f} {a} %(c)s %s {}") == ["%s", "a", "b", "c", "{}"]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_function_that_translates_uses_the_name_for_a_value(path: Path) -> None:
    assert shadowing(path.read_text()) == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_text_for_a_person_is_marked(path: Path) -> None:
    assert messages.unmarked(path.read_text()) == []


def shadowing(source: str) -> list[str]:
    """Functions in which `_` is a variable and called."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = [one for one in ast.walk(node) if isinstance(one, ast.Name) and one.id == "_"]
            kinds = {type(one.ctx) for one in names}
            if {ast.Store, ast.Load} <= kinds:
                found.append(node.name)
    return found


def test_an_unmarked_text_is_found() -> None:
    lines = messages.unmarked(
        'raise ToolError(f"{a}: not found there", "tallypost list")\nconsole.note("two words")\n'
        'add("--x", help="some text")\nconsole.note(_("two words"))\nconsole.result(f"{a} {b}")\n'
    )
    assert [line.split(":")[0] for line in lines] == ["line 1", "line 2", "line 3"]


def test_a_shadowed_name_a_built_text_and_a_stale_message_are_found() -> None:
    assert shadowing("def f():\n    for _ in a:\n        _('x')\n") == ["f"]
    with pytest.raises(ValueError, match="place:1: _"):
        messages.marked("_(f'{a}')", "place")
    with pytest.raises(ValueError, match="place:2: ngettext"):
        messages.marked("\nngettext('a' + b, 'c', 1)", "place")
    known = messages.marked("_('one')\n_(NAME)\nngettext('a', 'b', n)\nf('two')", "place")
    assert [(one.text, one.plural) for one in known] == [("one", ""), ("a", "b")]
    catalogue = messages.updated(polib.POFile(), known)
    assert [entry.msgid for entry in messages.updated(catalogue, known[:1])] == ["one"]
