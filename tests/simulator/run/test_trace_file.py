"""Recordings: accepted lines, and refusals with file, line and the right form."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.run.processes import replay
from simulator.run.results import trace_file
from tallypost.faults import ToolError

PINS = (25, 26)


def written(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


def test_bytes_and_edges_are_read(tmp_path: Path) -> None:
    trace = trace_file.load(written(tmp_path, "# detector: ld2451\n\n0,f4F3\n1.5, 00\n"), PINS)
    assert trace.inputs == [(0, 1, b"\xf4\xf3"), (1500, 1, b"\0")]
    assert (trace.detector, trace.edges, trace.length_us) == ("ld2451", False, 1500)
    trace = trace_file.load(written(tmp_path, "10,A,0\n10,B,0\n20,A,1\n"), PINS)
    assert trace.inputs == [
        (10_000, 0x40, b"\x19\0"), (10_000, 0x40, b"\x1a\0"), (20_000, 0x40, b"\x19\1")
    ]  # fmt: skip
    assert trace.edges and trace.detector == ""
    assert trace_file.load(written(tmp_path, "10,25,0\n10,26,0\n20,25,1\n"), PINS) == trace


def test_edges_become_pulses_by_the_hundredth_of_a_second() -> None:
    edges = [(t_us, 0x40, bytes((25, i % 2))) for i, t_us in enumerate((100, 900, 9999, 10_000))]
    other = [(200, 0x40, b"\x1a\0")]
    assert trace_file.as_pulses(sorted(edges + other), 25) == [
        (10_000, 0x42, b"\x19\3"), (20_000, 0x42, b"\x19\1")
    ]  # fmt: skip
    dense = [(10 * i, 0x40, b"\x19\1") for i in range(900)]
    assert trace_file.as_pulses(dense, 25) == [(10_000, 0x42, b"\x19\xff")], "a byte holds it"


@pytest.mark.parametrize(
    ("text", "what"),
    (
        ("", "holds no recording"),
        ("# detector: beam\n", "holds no recording"),
        ("1,F4\n2,zz\n", r"trace.csv:2: .*hex"),
        ("1,F4\n2\n", r"trace.csv:2: 1 fields"),
        ("1,F4\n2,A,0\n", r"trace.csv:2: 3 fields"),
        ("1,A,0\n2,C,0\n", r"trace.csv:2: pin 'C', not one of A, B, 25, 26"),
        ("1,A,0\n2,A,2\n", r"trace.csv:2: level '2'"),
        ("5,F4\n4,F4\n", r"trace.csv:2: 4 ms comes before"),
        ("x,F4\n", r"trace.csv:1: could not convert"),
        ("nan,F4\n", r"trace.csv:1: nan ms"),
        ("-1,F4\n", r"trace.csv:1: -1 ms is not within"),
        ("1,\n", r"trace.csv:1: no bytes"),
    ),
)
def test_a_bad_line_is_named(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=what):
        trace_file.load(written(tmp_path, text), PINS)


def test_no_file_and_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No such file"):
        trace_file.load(tmp_path / "none.csv", PINS)
    (tmp_path / "bytes.csv").write_bytes(b"1,F4\n\xf4\xf3")
    with pytest.raises(ToolError, match=r"bytes.csv:2: byte 5 of the file is not text"):
        trace_file.load(tmp_path / "bytes.csv", PINS)


def test_the_detector_must_be_known_and_fit() -> None:
    radar, edges = trace_file.Trace([], "ld2450", False), trace_file.Trace([], "", True)
    assert replay.detector(radar, None, Path("f")) == "ld2450"
    assert replay.detector(radar, "ld2451", Path("f")) == "ld2451"
    assert replay.detector(edges, "beam_single", Path("f")) == "beam_single"
    for trace, asked in ((radar, "beam"), (edges, None), (edges, "ops243")):
        with pytest.raises(ToolError, match="f: .*(fit|name)"):
            replay.detector(trace, asked, Path("f"))
