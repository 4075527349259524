"""Late imports of the firmware are few, and the bytes in their comments are measured ones."""

from __future__ import annotations

import pytest
from tests.tidy.late_imports import LateImport, late_imports, measure, of
from tests.tidy.source import ROOT

COUNT_MAX = 12
FOUND = late_imports()


def test_the_firmware_has_few_late_imports() -> None:
    assert 0 < len(FOUND) <= COUNT_MAX, [found.place for found in FOUND]


def test_the_start_learns_the_names_of_every_late_module() -> None:
    """A name that is new on a full heap may not find its place (firmware/build.py)."""
    at_start = ("firmware/build.py", "firmware/delivery/lorawan/radio_device.py")
    table = (ROOT / "firmware" / "build.py").read_text().partition("async def _start")[0]
    for found in FOUND:
        if not found.place.startswith(at_start):
            for module in found.modules:
                assert f'"{module}"' in table, found.place


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.modules[0])
def test_the_comment_of_a_late_import_has_the_measured_bytes(found: LateImport) -> None:
    assert found.stated, f"{found.place} has no figure"
    measured = measure(found)
    # A sixth: the figures move with every line of the module. 1,000: below it, import at the top.
    assert abs(measured - found.stated) <= max(300, measured // 6), f"{found.place}: {measured}"
    assert measured >= 1000, f"{found.place}: {measured} bytes are not worth a late import"


def test_a_late_import_is_found_with_and_without_its_figure() -> None:
    source = (
        "import a\n\ndef f():\n    import b  # 1,200 bytes\n    from ring import memory, Ring\n"
    )
    assert list(of("x.py", source)) == [
        LateImport("x.py:4", ("b",), 1200), LateImport("x.py:5", ("ring.memory", "ring"), None)
    ]  # fmt: skip
