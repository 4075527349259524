"""The runner fails when a check fails, and when a board hangs, drops or talks nonsense."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seam import body
from tests.seam.__main__ import main
from tests.seam.fake_board import ABOUT, Answer, Drops, FakeBoard, Hangs, area_of, passing

SILENCE = ("--silence", "10")  # for a board that does hang: no other one is silent so long
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake board needs no time to start, and a few areas tell as much as all."""
    monkeypatch.setattr("tests.seam.port.time.sleep", lambda _s: None)
    monkeypatch.setattr(body, "AREAS", ("clock", "nvs", "values"))
    monkeypatch.setattr(body, "KINDS", ("hard",))


def conform(answer: Answer, tmp_path: Path, *more: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status and results of a run against a fake board."""
    file = tmp_path / "results.json"
    with FakeBoard(answer) as board:
        status = main(["--port", board.url, "--json", str(file), *more])
    return status, json.loads(file.read_text())["checks"] if file.exists() else {}


def states(results: dict[str, dict[str, str]], area: str) -> list[str]:
    return [r["state"] for name, r in results.items() if name.startswith(f"{area}.")]


def test_a_board_at_which_all_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, results = conform(passing, tmp_path)
    assert status == 0 and list(results) == body.names()
    assert {result["state"] for result in results.values()} == {"pass"}
    assert f"{len(results)} checks: {len(results)} pass, 0 fail" in capsys.readouterr().out


def test_a_failed_check_is_reported_with_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(script: str) -> Iterator[str]:
        for piece in passing(script):
            yield piece.replace(
                "@pass nvs.blobs_of_any_bytes", "@fail nvs.blobs_of_any_bytes 4, not 5"
            )

    status, results = conform(answer, tmp_path)
    assert status == 1
    assert [name for name, r in results.items() if r["state"] != "pass"] == [
        "nvs.blobs_of_any_bytes"
    ]
    out = capsys.readouterr().out
    assert "FAIL nvs.blobs_of_any_bytes: 4, not 5" in out
    assert (
        "source: docs/library/esp32.rst, NVS.get_blob" in out
        and "firmware/config/settings.py" in out
    )


def test_a_board_that_hangs_costs_its_area_alone(tmp_path: Path) -> None:
    def answer(script: str) -> Iterator[str]:
        area, names = area_of(script)
        if area == "nvs":
            yield f"@begin nvs.{names[0]}\n@pass nvs.{names[0]}\n@begin nvs.{names[1]}\n"
            raise Hangs
        yield from passing(script)

    status, results = conform(answer, tmp_path, *SILENCE)
    _, names = area_of(body.script("nvs", {}))
    assert status == 1
    assert states(results, "nvs") == ["pass"] + ["fail"] * (len(names) - 1)
    assert results[f"nvs.{names[1]}"]["text"] == "silent for 10 s"
    assert results[f"nvs.{names[2]}"]["text"] == "not reached: silent for 10 s"
    assert set(states(results, "values") + states(results, "hard")) == {"pass"}


def test_a_line_that_drops_is_a_failure(tmp_path: Path) -> None:
    gone = False

    def answer(script: str) -> Iterator[str]:
        nonlocal gone
        gone = gone or area_of(script)[0] == "nvs"
        if gone:
            raise Drops
        yield from passing(script)

    status, results = conform(answer, tmp_path)
    assert status == 1
    assert set(states(results, "clock")) == {"pass"} and set(states(results, "nvs")) == {"fail"}
    assert results["hard.nvs_is_kept"]["text"].endswith("the board does not answer any more")


def test_nonsense_never_counts_as_a_pass(tmp_path: Path) -> None:
    def answer(script: str) -> Iterator[str]:
        area, names = area_of(script)
        if area == "values":
            yield "\x00\xff@pass\n@pass values.nothing\n@begin\n@@@ \x1b[2J\n"
            yield f"@pass values.{names[0]}\n"  # it never began
            yield f"@begin values.{names[1]}\n@pass values.{names[2]}\n@hurrah values.{names[1]}\n"
            yield "@end clock\n"
        else:
            yield from passing(script)

    status, results = conform(answer, tmp_path)
    assert status == 1 and set(states(results, "values")) == {"fail"}
    assert set(states(results, "nvs") + states(results, "hard")) == {"pass"}


def test_a_board_that_is_silent_after_a_reset_is_a_failure(tmp_path: Path) -> None:
    def answer(script: str) -> Iterator[str]:
        if area_of(script)[0] == "hard":
            raise Drops
        yield from passing(script)

    status, results = conform(answer, tmp_path)
    assert status == 1 and set(states(results, "hard")) == {"fail"}
    assert set(states(results, "clock") + states(results, "break")) == {"pass"}


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("", "no answer to the first question"),
        ("@board {broken\n", "talks nonsense"),
        ('@board {"version": 3}\n', "talks nonsense"),
        ("Guru Meditation Error\n", "but: Guru Meditation Error"),
    ],
)
def test_a_port_without_a_board_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first: str, said: str
) -> None:
    status, results = conform(lambda _script: iter([first]), tmp_path)
    err = capsys.readouterr().err
    assert status == 2 and not results
    assert said in err and err.count("\n") == 1 and "socket://" in err


def test_no_port_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "/dev/no-such-port"]) == 2
    assert "/dev/no-such-port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("label", "said"), [("spare", "It has: nvs, vfs, ring"), ("nvs", "the board's own")]
)
def test_scratch_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str, said: str
) -> None:
    asked: list[str] = []

    def answer(script: str) -> Iterator[str]:
        asked.append(script)
        yield ABOUT

    status, _ = conform(answer, tmp_path, "--scratch", label)
    assert status == 2 and said in capsys.readouterr().err
    assert len(asked) == 1 and "@board" in asked[0]


def test_a_ring_is_written_to_only_where_that_is_said(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(script: str) -> Iterator[str]:
        seen.append(script)
        yield from passing(script)

    conform(answer, tmp_path)
    assert all("'scratch': None" in s for s in seen if area_of(s)[0])
    seen.clear()
    conform(answer, tmp_path, "--scratch", "ring")
    assert all("'scratch': 'ring'" in s for s in seen if area_of(s)[0])


def test_two_boards_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def other(script: str) -> Iterator[str]:
        for piece in passing(script):
            yield piece.replace("@pass clock.epoch_is_2000", "@fail clock.epoch_is_2000 1970")

    assert conform(other, tmp_path)[0] == 1
    earlier = tmp_path / "earlier.json"
    (tmp_path / "results.json").rename(earlier)
    capsys.readouterr()
    assert conform(passing, tmp_path, "--beside", str(earlier))[0] == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "differs" in line] == [
        ["clock.epoch_is_2000", "pass", "fail", "differs"]
    ]
    assert lines[0].split()[0] == "check" and lines[0].count("socket://") == 2


def test_results_of_something_else_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.json"
    for text in ("", "[]", '{"v": 7}', '{"v": 1, "title": "x", "checks": {"a": {}}}'):
        file.write_text(text)
        assert main(["--beside", str(file)]) == 2
        assert "no results of a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pins = [4]", "pins: two different GPIOs"),
        ("pins = [4, 4]", "pins: two different GPIOs"),
        ("uart_pin = true", "uart_pin: a GPIO"),
        ("wire = 1", "unknown key 'wire'"),
        ("[network]\nssid = 'x'", "ssid, password and host"),
        ("pins = [", "wiring.toml"),
    ],
)
def test_a_wiring_file_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "wiring.toml"
    file.write_text(text)
    assert main(["--port", "/dev/null", "--wiring", str(file)]) == 2
    assert said in capsys.readouterr().err


def test_an_interpreter_that_is_no_esp32_is_recognised(tmp_path: Path) -> None:
    """Behind the line is the plain interpreter of this machine: time, errno and all."""

    def answer(script: str) -> Iterator[str]:
        if not area_of(script)[0]:
            yield from passing(script)
            return
        interpreter = Path(sys.executable).parent / "micropython"
        done = subprocess.run(
            [interpreter, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        yield done.stdout

    status, results = conform(answer, tmp_path)
    assert status == 1
    wrong = {name for name, result in results.items() if result["state"] == "fail"}
    lies = {"ticks_wrap_at_2_30", "epoch_is_2000", "time_is_an_integer", "rtc_is_set_and_read"}
    assert {f"clock.{name}" for name in lies} <= wrong
    assert "values.error_numbers_are_newlibs" in wrong and "values.aes_of_one_block" not in wrong
    assert set(states(results, "nvs")) == {"fail"}  # there is no esp32 to import


def test_checks_name_their_source_and_are_sent_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    names = body.names()
    assert len(names) == len(set(names)) > 100
    for name in names:
        check = body.described(name)
        assert check and check.says.endswith(".") and check.source and check.leans, name


def test_a_check_without_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clock.py").write_text('def ticks():\n    """They tick."""\n')
    with pytest.raises(ValueError, match="clock.ticks"):
        body.checks("clock", tmp_path)


def test_no_check_knows_where_it_runs() -> None:
    words = ("simulat", "virtual", "seam_board", 'sys.modules["seam')
    for path in sorted(body.CHECKS.glob("*.py")):
        text = path.read_text().lower()
        assert [word for word in words if word in text] == [], path.name


def test_code_sent_to_a_board_needs_no_simulator() -> None:
    program = (
        "import sys\nfrom tests.seam.__main__ import main\nmain(['--port', '/dev/null'])\n"
        "print([name for name in sys.modules if name.startswith('simulator')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
