"""Short names in the image: MicroPython keeps each name in memory as long as it runs.

A name costs its characters and some seven bytes, and a table of names that is full doubles. So the
names that the sources define are replaced before they are compiled: by names that MicroPython has
in ROM anyway, for another use, else by short ones. Lines stay where they are. A traceback has the
new names: the sources as compiled are in `.build/<board>/short`.

One name has the same new form in every file. Two names may share a form unless they can meet on
one object or in one module: in the same file, or in files joined by inheritance. An attribute that
a file gives to another object than `self` can meet any name. A name stays that belongs to
MicroPython or a third party, that stands in a text (`getattr`) or in an import as part of a
module's name, or that a call gives as a keyword (it may be a key of JSON).
"""

from __future__ import annotations

import tokenize
from collections.abc import Iterable
from string import ascii_letters

from tallypost.building.sources import constants, rom_names
from tallypost.building.sources.names_in_use import (
    Sources, groups_of, is_python, names_in, scan, texts_in, tokens_of,
)  # fmt: skip


def shortened(sources: Sources, others: Iterable[str] = ()) -> Sources:
    """The sources with short names. A source that is no Python is left out: no compiler takes it.

    sources: by file of the image. others: sources that are compiled as they are.
    """
    good = {file: text for file, text in sources.items() if is_python(text)}
    outside = {name for text in others for name in names_in(text)}
    texts = {name for text in good.values() for name in texts_in(text)}
    good = constants.inlined(good, outside | texts)
    names = assign(good, outside)
    return {file: shorten(text, names) for file, text in good.items()}


def assign(sources: Sources, outside: Iterable[str] = ()) -> dict[str, str]:
    """The new form of each name that has one. outside: names that must stay, and be no form."""
    use = scan(sources)
    groups = groups_of(sources)
    kept = use.kept | set(outside) | rom_names.IN_ROM | rom_names.OF_PORT
    changed = use.defined - kept
    places: dict[str, set[str]] = {}
    for file, names in use.by_file.items():
        for name in names & changed:
            everywhere = groups.values() if name in use.foreign else (groups[file],)
            places.setdefault(name, set()).update(everywhere)
    met = set(outside).union(*use.by_file.values())
    return _coloured(places, [form for form in (*rom_names.FORMS, *_shorts()) if form not in met])


def _coloured(places: dict[str, set[str]], forms: list[str]) -> dict[str, str]:
    """Give each name the first form that none of its groups has. Wide-spread, long names first."""
    in_use: dict[str, set[str]] = {}  # by group
    found = {}
    for name in sorted(places, key=lambda name: (-len(places[name]), -len(name), name)):
        groups = places[name]
        form = next(f for f in forms if not any(f in in_use.get(g, ()) for g in groups))
        found[name] = form
        for group in groups:
            in_use.setdefault(group, set()).add(form)
    return found


def shorten(source: str, names: dict[str, str]) -> str:
    """The source with other names. Each stays in its line."""
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokens_of(source))):
        if token.type == tokenize.NAME and token.string in names:
            row, column = token.start
            line = lines[row - 1]
            rest = line[column + len(token.string) :]
            lines[row - 1] = line[:column] + names[token.string] + rest
    return "".join(lines)


def _shorts() -> Iterable[str]:
    """Short names: an underscore and one letter, then two."""
    yield from (f"_{first}" for first in ascii_letters)
    yield from (f"_{first}{second}" for first in ascii_letters for second in ascii_letters)
