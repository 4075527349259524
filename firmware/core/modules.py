"""Modules that are in memory only while they are needed, and the function that drops them."""

import sys

_kept = ()  # names; empty until `keep_modules`


def keep_modules():
    """The start is over: the modules that are loaded now stay.

    Their packages do not: nothing but an import needs a package, and it makes it anew.
    """
    global _kept
    for name in list(sys.modules):
        if hasattr(sys.modules[name], "__path__") and name != "asyncio":
            del sys.modules[name]
    _kept = tuple(sys.modules)


def unload_modules(names=None):
    """Drop modules: those of `names`, else all that were loaded after `keep_modules`.

    The next import loads a module again. A module that something refers to stays in memory: the
    driver of the detector in use. Allocates next to nothing, because the heap may be full.
    """
    for name in names or ():
        _unload(name)
    while not names and _kept:
        late = _late()
        if not late:
            break
        _unload(late)


def _late():
    for name in sys.modules:
        if name not in _kept and not name.startswith("asyncio"):  # asyncio loads parts of itself
            return name
    return None


def _unload(name):
    if sys.modules.pop(name, None):
        package, _, short = name.rpartition(".")
        if package in sys.modules:
            delattr(sys.modules[package], short)
