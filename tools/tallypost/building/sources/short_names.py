"""Short private names in the image: MicroPython keeps each name in memory as long as it runs.

A name costs its characters and some seven bytes, and a table of names that is full doubles. So the
names that begin with one underscore are replaced before the sources are compiled. Lines stay where
they are. A traceback has short names: the sources as compiled are in `.build/<board>/short`.

One name has the same short form in every file. Two names may share a short form unless they can
meet on one object or in one module: in the same file, or in files joined by inheritance. A name
that the sources only read, such as `asyncio.core._io_queue`, belongs to MicroPython and stays.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from string import ascii_letters

Sources = dict[str, str]  # module name -> source


def shortened(sources: Sources, others: Iterable[str] = ()) -> Sources:
    """The sources with short names. A source that is no Python is left out: no compiler takes it.

    others: sources that are compiled as they are.
    """
    good = {module: text for module, text in sources.items() if _is_python(text)}
    names = assign(good, others)
    return {module: shorten(text, names) for module, text in good.items()}


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def assign(sources: Sources, others: Iterable[str] = ()) -> dict[str, str]:
    """The short form of each private name. others: sources that are compiled as they are."""
    used = {module: set(_names(text)) for module, text in sources.items()}
    kept = {name for text in others for name in _names(text)}
    for text in sources.values():
        kept |= set(_texts(text))
    defined = {name for text in sources.values() for name in _defined(text)}
    private = {name for name in defined - kept if name.startswith("_") and name[1:2] not in "_"}
    groups = _groups(sources)
    places: dict[str, set[str]] = {}
    for module, names in used.items():
        for name in names & private:
            places.setdefault(name, set()).add(groups[module])
    taken = kept.union(*used.values()) - private
    return _coloured(places, [short for short in _shorts() if short not in taken])


def _coloured(places: dict[str, set[str]], shorts: list[str]) -> dict[str, str]:
    """Give each name the first short form that none of its groups has. Wide-spread names first."""
    in_use: dict[str, set[str]] = {}  # by group
    found = {}
    for name in sorted(places, key=lambda name: (-len(places[name]), name)):
        groups = places[name]
        short = next(s for s in shorts if not any(s in in_use.get(g, ()) for g in groups))
        found[name] = short
        for group in groups:
            in_use.setdefault(group, set()).add(short)
    return found


def shorten(source: str, names: dict[str, str]) -> str:
    """The source with short names. Each stays in its line."""
    lines = source.splitlines(keepends=True)
    for token in reversed(list(_tokens(source))):
        if token.type == tokenize.NAME and token.string in names:
            row, column = token.start
            line = lines[row - 1]
            rest = line[column + len(token.string) :]
            lines[row - 1] = line[:column] + names[token.string] + rest
    return "".join(lines)


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def _names(source: str) -> Iterator[str]:
    """The names of a source, those of its keywords among them."""
    return (token.string for token in _tokens(source) if token.type == tokenize.NAME)


def _texts(source: str) -> Iterator[str]:
    """Texts that may be names: `getattr` would not find a name that was replaced."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):  # its names are no tokens
            yield from (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            yield from (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute))


def _defined(source: str) -> Iterator[str]:
    """Names that a source gives to something."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def _groups(sources: Sources) -> dict[str, str]:
    """For each module the first of those that inheritance joins it with, by the class's name."""
    group = {module: module for module in sources}
    owners: dict[str, set[str]] = {}
    for module, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                for name in (node.name, *filter(None, map(_last, node.bases))):
                    owners.setdefault(name, set()).add(module)
    for joined in owners.values():
        wanted = {group[module] for module in joined}
        first = min(wanted)
        group = {module: first if now in wanted else now for module, now in group.items()}
    return group


def _last(base: ast.expr) -> str | None:
    if isinstance(base, ast.Attribute):
        return base.attr
    return base.id if isinstance(base, ast.Name) else None


def _shorts() -> Iterator[str]:
    """Short names: an underscore and one letter, then two."""
    yield from (f"_{first}" for first in ascii_letters)
    yield from (f"_{first}{second}" for first in ascii_letters for second in ascii_letters)
