"""Modules that are needed for a moment: they leave the heap, and all others stay."""

import gc
import sys

import config.schema
from core import modules

LATE = ("commands.registry", "commands.diagnostics", "console.session", "radar.view", "wire.note")


def _load():
    for name in LATE:
        __import__(name)


def _free():
    gc.collect()
    gc.collect()
    return gc.mem_free()


def test_modules_loaded_after_the_start_leave_and_give_their_memory_back():
    _load()
    for name in LATE + ("commands.basic", "commands", "console"):
        modules.unload(name)  # their names stay on the heap, so they are loaded once before
    modules.keep_modules()
    before = _free()
    _load()
    assert before - _free() > 8000
    modules.unload_modules()
    for name in LATE + ("commands.basic", "commands", "console"):
        assert name not in sys.modules, name
    assert before - _free() < 300


def test_modules_leave_whose_package_was_made_anew():
    import core.log  # noqa: F401 - it stays

    for name in ("commands", "core"):
        modules.unload(name)
    modules.keep_modules()
    _load()
    assert not hasattr(sys.modules["core"], "log"), "the package is a new one"
    for name in ("core.log", "commands.registry"):
        modules.unload(name)
        assert name not in sys.modules


def test_modules_loaded_before_the_end_of_the_start_stay():
    modules.keep_modules()
    kept = sys.modules["config.schema"]
    _load()
    modules.unload_modules()
    assert sys.modules["config.schema"] is kept and "core.modules" in sys.modules
    assert "core.faults" in sys.modules, "config.schema uses it"


def test_nothing_leaves_before_the_start_is_over():
    _load()
    modules.unload_modules()
    for name in LATE:
        assert name in sys.modules, name


def test_parts_that_asyncio_loads_later_stay():
    import asyncio

    modules.keep_modules()
    waiting = asyncio.wait_for
    part = sys.modules["asyncio.funcs"]
    modules.unload_modules()
    assert sys.modules["asyncio.funcs"] is part and asyncio.wait_for is waiting


def test_a_module_is_loaded_anew_by_the_next_import():
    modules.keep_modules()
    for _ in range(3):
        from commands.registry import handle

        assert handle.__name__ == "handle"
        modules.unload_modules()
        assert "commands.registry" not in sys.modules


def test_a_single_module_leaves_its_package_too():
    assert hasattr(config, "schema")
    modules.unload("config.schema")
    modules.unload("config.schema")
    assert "config.schema" not in sys.modules and not hasattr(config, "schema")
