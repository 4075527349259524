"""What the sources of the image do with their names."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field

Sources = dict[str, str]  # file in the image -> source
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class NameUse:
    """by_file: all names of each file. defined: those that the sources define. foreign: attributes
    that a file gives to an object other than `self`. kept: names that must stay."""

    by_file: dict[str, set[str]] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)


def scan(sources: Sources) -> NameUse:
    use = NameUse()
    own = {part for file in sources for part in _module_parts(file)}
    use.kept |= own
    for file, text in sources.items():
        tree = ast.parse(text)
        use.by_file[file] = set(names_in(text))
        use.kept |= set(texts_in(text)) | _folded(tree)
        use.kept |= _of_strangers(tree, own) | _keywords(tree)
        use.defined |= set(_defined(tree))
        use.foreign |= set(_given_away(tree))
    use.kept |= {name for name in use.defined if name.startswith("__")} | {"_"}
    return use


def is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def tokens_of(source: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(source).readline)


def names_in(source: str) -> Iterator[str]:
    """The names of a source, those of its keywords among them."""
    return (token.string for token in tokens_of(source) if token.type == tokenize.NAME)


def texts_in(source: str) -> Iterator[str]:
    """Texts that may be names: `getattr` would not find a name that was replaced."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):  # its names are no tokens
            yield from (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
            yield from (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute))


def groups_of(sources: Sources) -> dict[str, str]:
    """For each file the first of those that inheritance joins it with, by the class's name."""
    group = {file: file for file in sources}
    owners: dict[str, set[str]] = {}
    for file, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                for name in (node.name, *filter(None, map(_last, node.bases))):
                    owners.setdefault(name, set()).add(file)
    for joined in owners.values():
        wanted = {group[file] for file in joined}
        first = min(wanted)
        group = {file: first if now in wanted else now for file, now in group.items()}
    return group


def _last(base: ast.expr) -> str | None:
    if isinstance(base, ast.Attribute):
        return base.attr
    return base.id if isinstance(base, ast.Name) else None


def _module_parts(file: str) -> list[str]:
    return file.removesuffix(".mpy").split("/")


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that a source gives to something, but for what a function keeps to itself: that takes
    no memory."""
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Global):
            yield from node.names
        if isinstance(node, (ast.Module, ast.ClassDef)):
            yield from _stored(node.body)


def _given_away(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield node.attr


def _stored(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if not isinstance(statement, _DEFINITIONS):
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id


def _folded(tree: ast.Module) -> set[str]:
    """Private constants: the compiler keeps nothing of them, and an underscore tells it so."""
    return {
        node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.startswith("_")
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "const"
    }


def _keywords(tree: ast.Module) -> set[str]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {keyword.arg for call in calls for keyword in call.keywords if keyword.arg}


def _of_strangers(tree: ast.Module, own: set[str]) -> set[str]:
    """Parts of modules' names, and what a module that is not ours has: by import or attribute."""
    found: set[str] = set()
    strangers: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= set(alias.name.split("."))
                if alias.name.split(".")[0] not in own:
                    strangers.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            found |= set((node.module or "").split("."))
            if (node.module or "").split(".")[0] not in own:
                found |= {alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in strangers:
                found.add(node.attr)
    return found
