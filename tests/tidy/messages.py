"""The marked messages of the sources and the German catalogue: `python -m tests.tidy.messages`.

Run as a program it brings the catalogue up to date: new messages are added with an empty `msgstr`,
messages that are gone are dropped, entries stand in the order of the files they come from. How to
mark a message: tools/tallypost/i18n.py.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import polib

from tests.tidy.source import ROOT, files, name

CATALOGUE = ROOT / "tools/tallypost/locale/de/LC_MESSAGES/tallypost.po"
ARGPARSE = "argparse"  # its messages differ between versions of Python: they are never dropped
_ARGUMENTS = {"_": 1, "N_": 1, "ngettext": 2}
_OUTPUTS = {f"console.{name}" for name in ("result", "note", "progress", "error")}
_COMMANDS = ("tallypost ", "make ", "sudo ", "kill ")
_WORDS = re.compile(r"[A-Za-z]{2,}[,:;]? [A-Za-z]{2,}")
_PLACEHOLDER = re.compile(r"\{(\w*)[^{}]*\}|%\((\w+)\)s|%[sd]")


@dataclass(frozen=True)
class Message:
    """A marked text. plural: of ngettext, else "". place: file and line."""

    text: str
    plural: str
    place: str


def marked(source: str, place: str) -> list[Message]:
    """The messages of a module in their order. Raises ValueError for one that is no literal."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    calls.sort(key=lambda call: (call.lineno, call.col_offset))
    return [message for call in calls if (message := _message(call, place))]


def _message(call: ast.Call, place: str) -> Message | None:
    """The message that a call marks. None for other calls and for `_(name)` of a deferred text."""
    function = call.func.id if isinstance(call.func, ast.Name) else ""
    count = _ARGUMENTS.get(function, 0)
    texts = [text for node in call.args[:count] if (text := _literal(node)) is not None]
    if not count or function == "_" and _is_deferred(call.args[0]):
        return None
    if len(texts) != count:
        raise ValueError(f"{place}:{call.lineno}: {function}() of something that is no literal")
    return Message(texts[0], texts[1] if count == 2 else "", place)


def _is_deferred(node: ast.expr) -> bool:
    """Whether the text comes from a variable or a table, in argparse also from a keyword."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop")
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def unmarked(source: str) -> list[str]:
    """Texts of two words or more that go to a person without a mark."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            shown = [one for one in _shown(call) if _is_text(one)]
            found += [f"line {one.lineno}: {ast.unparse(one)[:60]}" for one in shown]
    return found


def _shown(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call that a person reads."""
    function = ast.unparse(call.func)
    helps = [one.value for one in call.keywords if one.arg in ("help", "description", "epilog")]
    if function in _OUTPUTS:
        return [*helps, *call.args[:1]]
    return [*helps, *call.args[:2]] if function in ("ToolError", "Refused") else helps


def _is_text(node: ast.expr) -> bool:
    """Whether an argument is a literal of words, and no command to type."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(_literal(one) or "{}" for one in node.values)
    else:
        text = _literal(node) or ""
    return bool(_WORDS.search(text)) and not text.startswith(_COMMANDS)


def of_sources() -> list[Message]:
    """Of the host tools, in the order of their files, and of the boards."""
    paths = [path for path in files("tools/tallypost/*.py") if path.name != "i18n.py"]
    found = [message for path in paths for message in marked(path.read_text(), name(path))]
    return found + of_boards()


def of_boards() -> list[Message]:
    """Of each board.toml the texts in a wiring picture: title, notes, ends of the wires."""
    found = []
    for path in files("boards/*/board.toml"):
        board = tomllib.loads(path.read_text())
        ends = dict.fromkeys(wire["to"] for wire in board["wiring"])
        texts = [board["title"], *board.get("notes", []), *ends]
        found += [Message(text, "", name(path)) for text in texts]
    return found


def of_argparse() -> list[Message]:
    """Of the parser of this Python."""
    return marked(Path(argparse.__file__).read_text(), ARGPARSE)


def placeholders(text: str) -> list[str]:
    """The names of the values that go into a message, sorted."""
    return sorted({match[1] or match[2] or match[0] for match in _PLACEHOLDER.finditer(text)})


def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE), wrapwidth=99)


def updated(old: polib.POFile, messages: list[Message]) -> polib.POFile:
    """A catalogue with exactly these messages, and all that argparse has ever had."""
    new = polib.POFile(wrapwidth=99)
    new.header, new.metadata = old.header, old.metadata
    known = {(entry.msgid, entry.msgid_plural): entry for entry in old}
    kept = [entry for entry in old if (ARGPARSE, "") in entry.occurrences]
    places: dict[tuple[str, str], list[str]] = {}
    for message in messages:
        key = message.text, message.plural
        if message.place not in places.setdefault(key, []):
            places[key].append(message.place)
    for (text, plural), found in places.items():
        entry = known.get((text, plural)) or _empty(text, plural)
        entry.occurrences = [(place, "") for place in found]
        new.append(entry)
    new.extend(entry for entry in kept if (entry.msgid, entry.msgid_plural) not in places)
    return new


def _empty(text: str, plural: str) -> polib.POEntry:
    forms = {0: "", 1: ""} if plural else {}
    return polib.POEntry(msgid=text, msgid_plural=plural, msgstr="", msgstr_plural=forms)


def main() -> int:
    new = updated(catalogue(), of_sources() + of_argparse())
    new.save(str(CATALOGUE))
    missing = len(new.untranslated_entries())
    sys.stdout.write(f"{name(CATALOGUE)}: {len(new)} messages, {missing} without German\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
