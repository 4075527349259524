"""Wrong usage of both commands: one clear line, the right exit status, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.run import __main__ as sim
from tests.support.boards.tcp_port import TcpPort
from tallypost import cli

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip


def said(error: str) -> str:
    """The last line. Only the usage may stand before it."""
    lines = error.splitlines()
    assert all(line.startswith(("usage: ", " ")) for line in lines[:-1]), error
    return lines[-1]


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        (("paint",), 2, "invalid choice: 'paint' (choose from 'doctor'"),
        ((), 2, "required: VERB"),
        (("build", "--board", "nope"), 2, "unknown board 'nope'. Give one of these with --board"),
        (("build", "--micropython", "/gone.bin"), 1, "/gone.bin: No such file or directory"),
        (("listen", "--host", "127.0.0.1", "--port", "1", "--db", "@x.sqlite"), 1,
         "127.0.0.1:1: Connection refused. Check --host and --port. To start a broker here,"),
    ),
)  # fmt: skip
def test_wrong_usage_exits_with_one_line_and_no_result(
    words: tuple[str, ...], status: int, text: str, tmp_path: Path
) -> None:
    result = run("tallypost", *(w.replace("@", f"{tmp_path}/") for w in words))
    assert result.returncode == status and result.stdout == ""
    assert text in said(result.stderr), result.stderr


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        (("size", "--board", "nope"), 2, "unknown board 'nope'"),
        (("flash", "--board", "nope", "--port", "/dev/null"), 2, "unknown board 'nope'"),
        (
            ("provision", "/gone.bin", "--node", "n1", "--dry-run", "--insecure-plain"),
            1,
            "/gone.bin: No such file",
        ),
        (("provision", "x.bin"), 2, "--node is missing"),
        (("provision", "--node", "n1"), 2, "Give exactly one target: --port PORT or FLASHFILE."),
        (("provision", "x.bin", "--port", "p", "--node", "n1"), 2, "the target is missing or not"),
        (("listen", "--db", "/gone/x.sqlite"), 1, "/gone: no such folder. Name another file"),
        (("listen", "--db", "@"), 1, "unable to open database file. Name another file with --db"),
        (("listen", "--db", "@text"), 1, "file is not a database"),
        (("listen", "--db", "@x", "--host", "no.invalid"), 1, "no.invalid:1883: "),
        (("listen", "--db", "@x", "--host", "a" * 70), 1, ":1883: "),
        (("listen", "--db", "@x", "--port", "0"), 1, "Invalid port number"),
        (("listen", "--db", "@x", "--password-file", "/gone"), 1, "/gone: No such file"),
    ),
)
def test_errors_are_one_line_with_a_status(
    words: tuple[str, ...], status: int, text: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "text").write_text("no database, " * 100)
    assert cli.main([w.replace("@", f"{tmp_path}/") for w in words]) == status
    out, err = capsys.readouterr()
    assert out == "" and text in err and err.count("\n") == 1 and err.startswith("error: ")


@pytest.mark.parametrize("port", ("65536", "99999"))
def test_a_port_that_does_not_exist_is_refused(port: str, tmp_path: Path, capsys: Capture) -> None:
    words = ["listen", "--db", str(tmp_path / "x"), "--host", "127.0.0.1", "--port", port]
    assert cli.main(words) in (1, 2)
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "text"),
    (
        (("flash", "--baud", "fast"), "argument --baud: invalid int value: 'fast'"),
        (("listen", "--port", "high"), "argument --port: invalid int value: 'high'"),
        (("listen", "--seconds", "long"), "argument --seconds: invalid float value: 'long'"),
        (("build", "--no-such-thing"), "unrecognized arguments: --no-such-thing"),
    ),
)
def test_wrong_options_name_the_option(words: tuple[str, ...], text: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(words))
    assert caught.value.code == 2 and text in said(capsys.readouterr().err)


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(cli.ToolError):
        cli.main(["--debug", "build", "--board", "nope"])


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port with a server that is no broker."""
    port = TcpPort(lambda link: link.sendall(b"SSH-2.0-nobody\r\n"))
    yield port.number
    port.close()


def test_listening_to_a_server_that_is_no_broker_ends_with_a_reason(
    stranger: int, tmp_path: Path, capsys: Capture
) -> None:
    words = ["listen", "--db", str(tmp_path / "x"), "--host", "127.0.0.1", "--port", str(stranger)]
    assert cli.main(words) == 1
    assert f"127.0.0.1:{stranger}: " in said(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "text"),
    (
        (("--seed", "-1"), "argument --seed: -1 is not within 0 .. 4294967295"),
        (("--seed", "4294967296"), "is not within 0 .. 4294967295"),
        (("--seed", "1.5"), "argument --seed: invalid whole number value: '1.5'"),
        (("--hours", "0"), "argument --hours: 0 is not within "),
        (("--hours", "-3"), "-3 is not within "),
        (("--hours", "nan"), "argument --hours: nan is not within "),
        (("--hours", "1e9"), "1e9 is not within "),
        (("--nodes", "0"), "nodes '0', wanted a number within 1 .. 1000"),
        (("--nodes", "1001"), "nodes '1001', wanted a number within 1 .. 1000"),
        (("--nodes", "two"), "nodes 'two', wanted a number within 1 .. 1000, or some of mqtt,"),
        (("--broker", "localhost"), "'localhost' is not host:port, such as 127.0.0.1:1883"),
        (("--broker", ":1883"), "':1883' is not host:port"),
        (("--broker", "a:0"), "'a:0' is not host:port"),
        (("--broker", "a:65536"), "'a:65536' is not host:port"),
        (("--broker", "a:mqtt"), "'a:mqtt' is not host:port"),
        (("--json", "/gone/x.json"), "argument --json: cannot write '/gone/x.json'"),
        (("--json", "/tmp"), "argument --json: cannot write '/tmp'"),
        (("--trace", "/gone/x"), "argument --trace: cannot write '/gone/x'"),
        (("--weather", "fine"), "unrecognized arguments: --weather"),
    ),
)
def test_the_simulator_refuses_wrong_options_with_the_right_values(
    words: tuple[str, ...], text: str, capsys: Capture
) -> None:
    with pytest.raises(SystemExit) as caught:
        sim.main(list(words))
    assert caught.value.code == 2 and text in said(capsys.readouterr().err)


@pytest.mark.parametrize(
    "words", (("--hours", "long"), ("--broker", "a:²"), ("--broker", "a:" + "1" * 5000))
)
def test_an_error_shows_no_private_name_of_the_code(
    words: tuple[str, ...], capsys: Capture
) -> None:
    with pytest.raises(SystemExit):
        sim.main(list(words))
    assert " _" not in said(capsys.readouterr().err)


def test_a_folder_without_write_permission_is_refused_before_the_run() -> None:
    with pytest.raises(SystemExit):
        sim.parser().parse_args(["--json", "/proc/result.json"])


@pytest.mark.parametrize("option", ("--json", "--trace"))
def test_the_check_of_an_output_file_does_not_change_it(option: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("old result")
    for name in ("there", "new"):
        sim.parser().parse_args([option, str(tmp_path / name)])
    assert (tmp_path / "there").read_text() == "old result"
    assert not (tmp_path / "new").exists()


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    result = run("simulator.run", "--scenario", "nope", "--hours", "0.1")
    assert result.returncode == 2 and result.stdout == ""
    line = said(result.stderr)
    assert (
        "unknown scenario 'nope'; there are: ageing_flash, backend_away" in line
        and "wifi_flap" in line
    )


def test_bad_hours_exit_with_one_line_and_no_result() -> None:
    result = run("simulator.run", "--hours", "5000")
    assert result.returncode == 2 and result.stdout == ""
    assert "argument --hours: 5000 is not within " in said(result.stderr)
