"""The reader of NVS, compared with both other implementations, and fed damage and noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simulator.world.test_nvs import Chip, PowerCut

from tallypost.nvs import nvs_image
from tallypost.nvs import nvs_reader
from tallypost.nvs.nvs_reader import PAGE, Contents

CONTENTS: Contents = {
    "lora": {"nonces": bytes(30), "session": random.Random(2).randbytes(400)},
    "tallypost": {"boot": 70_000, "config": random.Random(1).randbytes(1500), "id": b"n1"},
}


def test_the_output_of_the_generator_is_read() -> None:
    assert nvs_reader.parse(nvs_image.make(CONTENTS, 6 * PAGE)) == CONTENTS


def test_blobs_across_pages_are_read() -> None:
    large: Contents = {"a": {f"k{i}": random.Random(i).randbytes(1500) for i in range(9)}}
    assert nvs_reader.parse(nvs_image.make(large, 6 * PAGE)) == large


def test_the_partition_of_a_node_after_years_is_read() -> None:
    chip = Chip(pages=6)
    node = chip.open()
    for number in range(900):
        node.set_i32("tallypost", "boot", -number)
        if number % 40 == 0:
            node.set_blob("lora", "session", bytes([number % 256]) * 300)
    found = nvs_reader.parse(bytes(chip.cells))
    assert chip.erases and found["tallypost"] == {"boot": -899}
    assert found["lora"] == {"session": bytes([880 % 256]) * 300}


def test_of_two_values_the_newer_one_counts() -> None:
    """A power cut after writing the new value and before erasing the old one leaves both."""
    chip = Chip(pages=3)
    node = chip.open()
    node.set_i32("tallypost", "boot", 1)
    chip.left = 3
    with pytest.raises(PowerCut):
        node.set_i32("tallypost", "boot", 2)
    assert nvs_reader.parse(bytes(chip.cells))["tallypost"]["boot"] in (1, 2)


def test_a_partition_that_is_too_small_is_refused() -> None:
    large: Contents = {"a": {f"k{i}": bytes(1500) for i in range(9)}}
    with pytest.raises(nvs_image.ToolError, match="too small"):
        nvs_image.make(large, 3 * PAGE)


def test_the_pages_that_name_a_key_are_found_even_when_it_is_damaged() -> None:
    image = bytearray(nvs_image.make(CONTENTS, 6 * PAGE))
    pages = nvs_reader.pages_with_key(image, "id")
    assert pages and nvs_reader.pages_with_key(image, "nope") == []
    for page in pages:
        image[page * PAGE : page * PAGE + 64] = bytes(64)
    assert nvs_reader.pages_with_key(image, "id") == pages
    assert "id" not in nvs_reader.parse(bytes(image)).get("tallypost", {})


@given(st.integers(0, 3 * PAGE - 1), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_byte_makes_no_other_value(at: int, change: int) -> None:
    image = bytearray(nvs_image.make(CONTENTS, 3 * PAGE))
    image[at] ^= change
    for space, entries in nvs_reader.parse(bytes(image)).items():
        assert entries.items() <= CONTENTS.get(space, {}).items()


@given(st.binary(max_size=300), st.integers(0, 2 * PAGE))
@settings(max_examples=100, deadline=None)
def test_noise_is_read_without_an_error(noise: bytes, at: int) -> None:
    image = bytearray(nvs_image.make(CONTENTS, 3 * PAGE))
    image[at : at + len(noise)] = noise
    nvs_reader.parse(bytes(image))
    nvs_reader.parse(noise)
    nvs_reader.pages_with_key(noise, "id")
