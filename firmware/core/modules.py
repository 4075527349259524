"""Modules that are in memory only while they are needed, and the functions that drop them."""

import sys

_kept = ()  # names; empty until `keep_modules`


def keep_modules():
    """The modules that are loaded now stay."""
    global _kept
    _kept = tuple(sys.modules)


def unload_modules():
    """Drop the modules that were loaded after `keep_modules`. The next import loads them again.

    A module that something refers to stays in memory until that is over: a stream of the console.
    Allocates next to nothing, because the heap may be full. The parts of asyncio stay.
    """
    found = _kept
    while found:
        found = None
        for name in sys.modules:
            if name not in _kept and not name.startswith("asyncio"):
                found = name
        if found:
            unload(found)


def unload(name):
    """Drop a module if it is loaded."""
    if sys.modules.pop(name, None):
        package, _, short = name.rpartition(".")
        package = sys.modules.get(package)
        if hasattr(package, short):  # a package that was made anew lacks older modules
            delattr(package, short)
