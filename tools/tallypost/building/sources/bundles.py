"""Modules that are always in memory together become one in the image.

A module costs some 300 bytes of heap beside its code: its name, its path, its table of names with
room to grow, and an entry in it for everything that it imports. The sources stay apart, for
people. In the image the modules of a bundle stand in one file, each after those that it imports.

A name that two modules of a bundle give is told apart by a number. A bundled module imports by
`from ... import`, its own names have one owner, and it is a part of the node for good.
"""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

from tallypost.building.sources.names_in_use import Sources, is_python, tokens_of

Places = dict[tuple[str, str], tuple[str, str]]  # (module, name) -> (bundle, name in it)

BUNDLES = {
    "node": (
        "app", "config.settings", "console.reader", "core.clock", "core.faults", "core.health",
        "core.log", "core.memory", "core.modules", "core.supervisor", "core.version",
        "counting.counter", "delivery.outbox", "passage.queue", "ring", "ring.region",
        "ring.ring", "wire.record",
    ),
    "net": (
        "delivery.mqtt.link", "delivery.mqtt.publisher", "delivery.mqtt.requests",
        "delivery.mqtt.signing",
        "delivery.mqtt.wifi", "mqtt", "mqtt.backoff", "mqtt.client", "mqtt.frame", "mqtt.reader",
        "names", "wire.message",
    ),
    "board": ("board", "esp32_board"),
    "ld24xx": ("passage.outlier_vote", "radar.frames", "radar.ld24xx"),
    "ld2451": ("passage.track", "passage.tracker", "radar.ld2451"),
}  # fmt: skip


class BundleError(Exception):
    """Sources that cannot stand in one module."""


@dataclass
class _Part:
    """A module of a bundle. taken: what stands in its place. names: new forms of its own."""

    text: str
    tree: ast.Module
    names: dict[str, str] = field(default_factory=dict)


def bundled(sources: Sources, bundles: dict[str, tuple[str, ...]] | None = None) -> Sources:
    """The sources with one file for each bundle. Raises BundleError.

    A bundle of which a module is missing, because the board has no use for it, is left apart. So
    is all if a source is no Python: the compiler will refuse it by its own name.
    """
    if not all(is_python(text) for text in sources.values()):
        return sources
    files = {_module(file): file for file in sources}
    whole = {
        name: modules
        for name, modules in (BUNDLES if bundles is None else bundles).items()
        if all(module in files for module in modules)
    }
    parts = {
        module: _Part(sources[files[module]], ast.parse(sources[files[module]]))
        for modules in whole.values()
        for module in modules
    }
    places: Places = {}
    for name, modules in whole.items():
        _place(name, modules, parts, places)
    _pass_on(parts, places)
    rest = {file: text for file, text in sources.items() if _module(file) not in parts}
    found = {file: _imports_replaced(text, "", places) for file, text in rest.items()}
    for name, modules in whole.items():
        found[f"a/{name}.mpy"] = _joined(name, _in_order(modules, parts), parts, places)
    return found


def _module(file: str) -> str:
    """The dotted name by which modules import a file of the image."""
    name = file.removeprefix("a/").removesuffix(".mpy").removesuffix("/__init__")
    return name.replace("/", ".")


# --- names


def _place(bundle: str, modules: tuple[str, ...], parts: dict[str, _Part], places: Places) -> None:
    """Give each name of the modules its form in the bundle."""
    taken: dict[str, int] = {}
    used = {token.string for module in modules for token in tokens_of(parts[module].text)}
    for module in modules:
        part = parts[module]
        for name in sorted(set(_given(part.tree))):
            form = name
            if name in taken:
                _check_private(module, name, part.tree)
                while form in used:
                    taken[name] += 1
                    form = f"{name}_{taken[name]}"
                part.names[name] = form
            taken.setdefault(name, 1)
            used.add(form)
            places[module, name] = bundle, form


def _given(tree: ast.Module) -> Iterator[str]:
    """Names that a module defines at its top level, without those that it imports."""
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
        elif not isinstance(statement, (ast.Import, ast.ImportFrom)):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def _check_private(module: str, name: str, tree: ast.Module) -> None:
    """Raises BundleError for a name that cannot get another form by its tokens alone."""
    for node in ast.walk(tree):
        word = node.arg if isinstance(node, (ast.arg, ast.keyword)) else None
        if word == name or (isinstance(node, ast.Attribute) and node.attr == name):
            raise BundleError(f"{module}: {name} is also a name of another module")


def _pass_on(parts: dict[str, _Part], places: Places) -> None:
    """What a package imports of a bundle and passes on has the place of the original."""
    imports = [
        (module, str(node.module), alias)
        for module, part in parts.items()
        for node in part.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    before = -1
    while before < len(places):
        before = len(places)
        for module, source, alias in imports:
            if (source, alias.name) in places:
                name = alias.asname or alias.name
                places.setdefault((module, name), places[source, alias.name])


# --- texts


def _in_order(modules: tuple[str, ...], parts: dict[str, _Part]) -> list[str]:
    """The modules, each after those that it imports at its top. Raises BundleError."""
    found: list[str] = []
    waiting = list(modules)
    while waiting:
        ready = [m for m in waiting if not _needed(parts[m].tree) & set(waiting) - {m}]
        if not ready:
            raise BundleError(f"{', '.join(waiting)}: import each other")
        found += ready
        waiting = [module for module in waiting if module not in ready]
    return found


def _needed(tree: ast.Module) -> set[str]:
    return {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}


def _joined(bundle: str, modules: list[str], parts: dict[str, _Part], places: Places) -> str:
    imports: dict[str, None] = {}  # in order, each once
    bodies = []
    for module in modules:
        part = parts[module]
        text = _imports_replaced(part.text, bundle, places, part.names)
        tree = ast.parse(text)
        lines = text.splitlines()
        for node in tree.body:
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if isinstance(node, (ast.Import, ast.ImportFrom)) or is_text:
                if not is_text:
                    imports.update(dict.fromkeys(_single(node)))
                last = node.end_lineno or node.lineno
                lines[node.lineno - 1 : last] = [""] * (last + 1 - node.lineno)
        bodies.append("\n".join(line for line in lines if line.strip()))
    return "\n".join([*imports, *bodies]) + "\n"


def _single(node: ast.stmt) -> Iterator[str]:
    """The names of an import, each as an import of its own."""
    if isinstance(node, ast.Import):
        yield from (f"import {ast.unparse(alias)}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"from {node.module} import {ast.unparse(alias)}" for alias in node.names)


def _imports_replaced(
    text: str, own: str, places: Places, names: dict[str, str] | None = None
) -> str:
    """The source with imports from bundles, and none from `own`. names: new forms of its own."""
    renamed = dict(names or {})
    lines = text.splitlines(keepends=True)
    replaced = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom):
            continue
        found = [(alias, places.get((str(node.module), alias.name))) for alias in node.names]
        if not any(place for _, place in found):
            continue
        wanted: dict[str, list[str]] = {}  # names by module
        for alias, place in found:
            name = alias.asname or alias.name
            if not place:
                wanted.setdefault(str(node.module), []).append(ast.unparse(alias))
                continue
            bundle, form = place
            if form != name:
                renamed[name] = form
            if bundle != own:
                wanted.setdefault(bundle, []).append(form)
        blank = " " * node.col_offset
        new = [
            f"{blank}from {module} import {', '.join(found)}\n" for module, found in wanted.items()
        ]
        replaced.append(
            (node.lineno - 1, node.end_lineno or node.lineno, new or [blank + "pass\n"])
        )
    for first, last, new in sorted(replaced, reverse=True):
        lines[first:last] = new
    return _renamed("".join(lines), renamed)


def _renamed(text: str, names: dict[str, str]) -> str:
    """The source with other names, where they stand alone: no attribute has them."""
    lines = text.splitlines(keepends=True)
    tokens = list(tokens_of(text))
    for before, token in reversed(list(zip([None, *tokens], tokens, strict=False))):
        if token.type == tokenize.NAME and token.string in names:
            if before and before.string == ".":
                continue
            row, column = token.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + names[token.string] + line[token.end[1] :]
    return "".join(lines)
