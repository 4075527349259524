"""The power fails at every single flash operation of an NVS partition in use."""

from __future__ import annotations

import pytest

from simulator.world.chip.nvs import NvsError, NvsPartition
from tests.simulator.world.test_nvs import SPACE, Chip, PowerCut

STEPS = 14


def use(nvs: NvsPartition, held: dict[str, object], first: int, steps: int = STEPS) -> None:
    """Change two values again and again. `held` has the values that must be there, `next` the one
    that may be."""
    for i in range(first, first + steps):
        held["next"] = i
        nvs.set_i32(SPACE, "boot", i)
        held["boot"] = i
        if i % 4 == 0:
            blob = b"%05d" % i * 20
            held["next"] = blob
            nvs.set_blob(SPACE, "config", blob)
            held["config"] = blob


def near_the_end() -> bytes:
    """A partition whose last spare page but one fills up within the steps."""
    chip = Chip()
    nvs = chip.open()
    nvs.set_blob(SPACE, "id", b"node-1")
    nvs.set_blob(SPACE, "config", b"first")
    for i in range(236):
        nvs.set_i32(SPACE, "boot", -i)
    assert chip.erases == 0
    return bytes(chip.cells)


@pytest.fixture(scope="module")
def cells() -> bytes:
    return near_the_end()


def prepared(cells: bytes, cut_at: int = -1) -> Chip:
    chip = Chip(cut_at=cut_at, seed=cut_at)
    chip.cells[:] = cells
    return chip


def operations(cells: bytes, until_erase: bool = False) -> int:
    """The number of operations in the steps, or up to the first page that is recycled."""
    chip = prepared(cells)
    nvs = chip.open()
    for i in range(STEPS):
        use(nvs, {}, i, 1)
        if until_erase and chip.erases:
            return chip.operations
    assert chip.erases, "no page is recycled in the steps that are cut"
    return chip.operations


def test_a_cut_leaves_the_old_value_or_the_new_one(cells: bytes) -> None:
    for cut_at in range(1, operations(cells) + 1):
        chip = prepared(cells, cut_at)
        held: dict[str, object] = {"boot": -235, "config": b"first", "next": None}
        with pytest.raises(PowerCut):
            use(chip.open(), held, 0)
        nvs = chip.open()
        assert nvs.get_i32(SPACE, "boot") in (held["boot"], held["next"]), cut_at
        assert nvs.get_blob(SPACE, "config") in (held["config"], held["next"]), cut_at
        assert nvs.get_blob(SPACE, "id") == b"node-1", cut_at


def test_the_partition_can_be_written_at_once_after_a_cut(cells: bytes) -> None:
    for cut_at in range(1, operations(cells) + 1):
        chip = prepared(cells, cut_at)
        with pytest.raises(PowerCut):
            use(chip.open(), {}, 0)
        held: dict[str, object] = {}
        use(chip.open(), held, 1000, 5)
        again = chip.open()
        assert again.get_i32(SPACE, "boot") == held["boot"], cut_at
        assert again.get_blob(SPACE, "config") == held["config"], cut_at


@pytest.fixture(scope="module")
def stuck(cells: bytes) -> list[tuple[int, str]]:
    """Cuts around the recycling of a page after which the partition is full one day."""
    found = []
    last = operations(cells, until_erase=True)
    for cut_at in range(last - 24, last + 1):
        chip = prepared(cells, cut_at)
        with pytest.raises(PowerCut):
            use(chip.open(), {}, 0)
        try:
            use(chip.open(), {}, 1000, 130)
        except NvsError as error:
            found.append((cut_at, str(error)))
    return found


def test_a_cut_while_a_page_is_moved_is_recovered_from(stuck: list[tuple[int, str]]) -> None:
    assert len(stuck) <= 1


def test_a_cut_does_not_use_up_the_spare_page(stuck: list[tuple[int, str]]) -> None:
    assert stuck == []
