"""Random hostile messages: `FUZZ_COLLECTOR=1000000` makes it more, `FUZZ_SEED` others."""

from __future__ import annotations

import os

from tests.tools.backend.fuzz_collector import run


def test_no_random_message_ends_the_listener() -> None:
    n = int(os.environ.get("FUZZ_COLLECTOR", "2000"))
    found = run(n, int(os.environ.get("FUZZ_SEED", "1")))
    assert found["acknowledged"] == n
    assert found["records"] and found["quarantine"] and found["gone"]
    early_kb, late_kb = found["memory_kb"]
    assert late_kb - early_kb < 20_000
