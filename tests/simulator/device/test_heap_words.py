"""The measure of the simulated heap, against a 32-bit interpreter.

The figures are of MicroPython's own build for WebAssembly (words of 32 bits, blocks of 16 bytes;
package @micropython/micropython-webassembly-pyscript of npm): bytes that a statement leaves after
a collection.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.boards.seam_board import board

KINDS = {
    "bytearrays": ("kept = [bytearray(n) for n in range(100, 600, 10)]", 18_688),
    "zeros": ("kept = bytearray(8192)", 8_208),
    "texts": ("kept = ['%d' % n * 40 for n in range(200)]", 26_160),
    "short texts": ("kept = ['number %d' % n for n in range(300)]", 11_664),
    "lists": ("kept = [[n] * 10 for n in range(200)]", 13_840),
    "tuples": ("kept = [(n, n + 1, n + 2) for n in range(300)]", 11_664),
    "dicts": ("kept = [{n: n, n + 1: n, n + 2: n} for n in range(100)]", 5_328),
    "floats": ("kept = [n / 7 for n in range(400)]", 8_464),
    "closures": (
        "def make(n):\n    def f():\n        return n\n    return f\n"
        "kept = [make(n) for n in range(200)]", 10_768,
    ),
    "generators": ("def g(n):\n    yield n\nkept = [g(n) for n in range(150)]", 8_336),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_objects_take_what_they_take_with_words_of_32_bits(tmp_path: Path, kind: str) -> None:
    statement, reference = KINDS[kind]
    script = f"""
import gc
def run():
    exec(code, space)
code = compile({statement!r}, "x", "exec")
space = {{}}
run()  # names and functions are there afterwards
space["kept"] = None
gc.collect()
before = gc.mem_alloc()
run()
gc.collect()
print(gc.mem_alloc() - before)
"""
    log, _ = board(tmp_path, script)
    assert int(log.lines()[0]) == pytest.approx(reference, rel=0.06)
