"""Hostile inputs end no task, hang nowhere and keep no memory. `make hostile` takes more."""

from __future__ import annotations

import pytest
from tests.hostile.harness import ON_DEVICE, run_on_device

N = 1000
# What must have happened for a run to say anything.
REACHED = {
    "commands": ("carried_out", "acks", "replies"),
    "reader": ("messages", "acknowledged", "refused", "broken"),
    "ring": ("opened", "refused", "records", "appended"),
    "nvs": ("identities", "usable", "defaults"),
}


@pytest.mark.parametrize("name", ON_DEVICE)
def test_hostile_inputs_end_no_task(name: str) -> None:
    found = run_on_device(name, N, 1)
    assert found["inputs"] == N
    assert 35 <= found["levels"] <= 55, "the chip's stack holds 48 levels"
    for figure in REACHED[name]:
        assert found[figure] > N // 50, (figure, found)
