"""The bench for a test. A scenario fails if it ends with a fault on the network's list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.support.rig import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig
        assert rig.network.faults == []
