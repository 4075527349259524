"""The bench for a test; a scenario that ends with a fault on the network's list has failed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.support.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig
        assert rig.network.faults == []
