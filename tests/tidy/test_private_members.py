"""Private members belong to their class: device code and tests use public interfaces."""

from __future__ import annotations

from tests.tidy.private_members import private_members
from tests.tidy.source import files, name

# MicroPython's asyncio has no public call that waits for a socket of one's own. Its own
# `open_connection` waits in the same way.
NO_PUBLIC_CALL = {"asyncio.core._io_queue"}
TESTS_MAX = 120


def _uses(*patterns: str) -> list[str]:
    return [
        f"{name(path)}:{line} {text}"
        for path in files(*patterns)
        for line, text in private_members(path.read_text())
        if text not in NO_PUBLIC_CALL
    ]


def test_device_code_uses_no_private_member_of_another_class() -> None:
    assert _uses("lib/*.py", "boards/*.py", "firmware/*.py") == []


def test_tests_use_few_private_members() -> None:
    assert len(found := _uses("tests/*.py")) <= TESTS_MAX, found


def test_a_private_member_of_another_object_is_found() -> None:
    source = "class A:\n    def f(self, b):\n        self._x = cls._y = b._z\n        b.__dict__\n"
    assert list(private_members(source)) == [(3, "b._z")]
    assert list(private_members("self.a._b._c = 1\n")) == [(1, "self.a._b._c"), (1, "self.a._b")]
