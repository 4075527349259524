"""The LoRaWAN payload: the firmware's encoder, `decoder.js`, the backend, the simulator's checker.

PAYLOAD_RECORDS=100000 runs more random records than the usual 10,000. Without Node.js the tests of
`decoder.js` are skipped by name.
"""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import pytest

from simulator.run.checkers import decode_lorawan
from tests.conformance.support import payload
from tallypost.backend.lorawan.frames import decode, encode
from tallypost.decoder import lorawan_examples

RECORDS = int(os.environ.get("PAYLOAD_RECORDS", "10000"))
UP = [vector for vector in payload.vectors() if vector["fPort"] < 10]
DOWN = [vector for vector in payload.vectors() if vector["fPort"] >= 10]
Body = dict[str, Any]


def in_javascript(function: str, inputs: list[Body]) -> list[Body]:
    found = payload.in_javascript([(function, given) for given in inputs])
    if found is None:
        pytest.skip("no node: decoder.js was not run")
    return found


def as_input(port: int, data: bytes) -> Body:
    return {"fPort": port, "bytes": list(data)}


def test_the_encoder_makes_the_vectors() -> None:
    made = payload.on_node([vector["make"] for vector in UP])
    assert [one["hex"] for one in made] == [vector["hex"] for vector in UP]


@pytest.mark.parametrize("vector", UP, ids=lambda vector: vector["name"])
def test_python_reads_the_vectors(vector: Body) -> None:
    port, data = vector["fPort"], bytes.fromhex(vector["hex"])
    assert decode(port, data) == vector["data"]
    assert decode_lorawan.read(port, data) == vector["data"]


def test_javascript_reads_the_vectors() -> None:
    inputs = [as_input(vector["fPort"], bytes.fromhex(vector["hex"])) for vector in UP]
    for vector, seen in zip(UP, in_javascript("decodeUplink", inputs), strict=True):
        assert seen["data"] == vector["data"], vector["name"]
        limits = [rec["limit"] for rec in vector["data"].get("recs", [])]
        assert len(seen["warnings"]) == sum(map(len, limits)) and seen["errors"] == []


def test_downlinks_are_alike_everywhere() -> None:
    tasks = [{"kind": "down", "port": v["fPort"], "hex": v["hex"]} for v in DOWN]
    for vector, seen in zip(DOWN, payload.on_node(tasks), strict=True):
        assert seen["parsed"] == vector["parsed"], vector["name"]
        assert encode(vector["data"]) == (vector["fPort"], bytes.fromhex(vector["hex"]))


def test_javascript_makes_and_reads_the_downlinks() -> None:
    made = in_javascript("encodeDownlink", [{"data": vector["data"]} for vector in DOWN])
    inputs = [as_input(vector["fPort"], bytes.fromhex(vector["hex"])) for vector in DOWN]
    read = in_javascript("decodeDownlink", inputs)
    for vector, seen, back in zip(DOWN, made, read, strict=True):
        assert (seen["fPort"], bytes(seen["bytes"]).hex()) == (vector["fPort"], vector["hex"])
        assert back["data"] == vector["data"]


def test_javascript_refuses_downlinks_that_no_node_would_take() -> None:
    wrong: list[Body] = [
        {}, {"cmd": "format", "id": 1}, {"cmd": "ping"}, {"cmd": "ping", "id": 256},
        {"ack": {"log": "xyz1", "seq": 1}}, {"ack": {"log": "00ff", "seq": -1}},
        {"ack": {"log": "00ff", "seq": 1.5}}, {"ack": {"log": "00ff", "seq": 1 << 32}},
        {"id": 1, "config": {}}, {"id": 1, "config": {"mqtt_host": 1}},
        {"id": 1, "config": {"interval_min": 40000}}, {"id": 1, "config": {"interval_min": "5"}},
    ]  # fmt: skip
    for given, seen in zip(wrong, in_javascript("encodeDownlink", [{"data": d} for d in wrong])):
        assert len(seen["errors"]) == 1 and "bytes" not in seen, given


def at_random() -> tuple[list[Body], list[Body]]:
    tasks = payload.at_random(random.Random(11), RECORDS)
    return tasks, payload.on_node(tasks)


@pytest.fixture(scope="module")
def frames() -> tuple[list[Body], list[Body]]:
    return at_random()


def test_decoded_random_records_equal_their_source(
    frames: tuple[list[Body], list[Body]],
) -> None:
    held = 0
    for task, made in zip(*frames, strict=True):
        data = bytes.fromhex(made["hex"])
        assert 1 <= made["records"] and len(data) <= task["room"]
        seen = decode(1, data)
        assert seen == decode_lorawan.read(1, data)
        found = seen.pop("totals")
        assert seen == payload.said(task, made["records"], made["long"])
        assert found in (None, payload.totals(task))
        assert found or len(data) + 9 >= task["room"], "totals go along when they have room"
        held += made["records"]
    assert held > RECORDS * 0.7, "most records had room"


def test_javascript_reads_random_records_alike(frames: tuple[list[Body], list[Body]]) -> None:
    data = [bytes.fromhex(made["hex"]) for made in frames[1]]
    inputs = [as_input(2, one) for one in data]
    for one, seen in zip(data, in_javascript("decodeUplink", inputs), strict=True):
        assert seen["data"] == decode(2, one)


def test_damaged_frames_are_refused_by_all_or_read_alike() -> None:
    rng = random.Random(3)
    good = [(vector["fPort"], bytes.fromhex(vector["hex"])) for vector in UP]
    damaged: list[tuple[int, bytes]] = [(9, b"\1"), (1, b""), (1, b"\2" + good[0][1][1:])]
    for _ in range(1500):
        port, data = rng.choice(good)
        changed = bytearray(data[: rng.choice((len(data), rng.randrange(len(data))))])
        for _ in range(rng.randrange(3)):
            if len(changed) > 1:
                changed[rng.randrange(1, len(changed))] = rng.randrange(256)
        damaged.append((port, bytes(changed) + rng.choice((b"", b"", b"\0"))))
    seen = in_javascript("decodeUplink", [as_input(*one) for one in damaged])
    refused = 0
    for (port, data), third in zip(damaged, seen, strict=True):
        first = _or_none(decode, port, data)
        second = _or_none(decode_lorawan.read, port, data)
        assert first == second == third.get("data"), (port, data.hex())
        refused += first is None
    assert 300 < refused < 1500


def _or_none(read: Any, port: int, data: bytes) -> Any:
    try:
        return read(port, data)
    except (ValueError, LookupError):
        return None


def test_the_published_examples_are_those_of_the_vectors() -> None:
    for path, text in lorawan_examples.files().items():
        assert path.read_text() == text, (
            f"{path.name}: python -m tallypost.decoder.lorawan_examples"
        )


def test_the_published_examples_agree_with_javascript() -> None:
    made = lorawan_examples.chirpstack()
    for function, name in (
        ("decodeUplink", "test_decode_tallypost.json"),
        ("encodeDownlink", "test_encode_tallypost.json"),
    ):
        cases = json.loads(made[name])
        seen = in_javascript(function, [case["input"] for case in cases])
        assert seen == [case["expected"] for case in cases]


def test_the_codec_is_es5_and_small_enough_for_the_repositories() -> None:
    source = payload.DECODER.read_text()
    assert len(source.encode()) < 40 * 1024
    later = re.compile(r"=>|\b(let|const|class|import|require|async)\b(?!\")|`|\.\.\.")
    code = re.sub(r"//.*", "", source)
    assert [line for line in code.splitlines() if later.search(line)] == []
