"""The prompt, byte by byte as mpremote and people know it (pyexec.c, readline.c)."""

from __future__ import annotations

from pathlib import Path

from tests.support.boards.typing_board import converse, output_lines

RAW = b"raw REPL; CTRL-B to exit\r\n>"
BANNER = (
    b"MicroPython v1.29.0-preview on 2026-07-12; virtual testboard with ESP32\r\n"
    b'Type "help()" for more information.\r\n'
)


def test_the_friendly_prompt_shows_values_and_reads_blocks(tmp_path: Path) -> None:
    typed = [b"x + 1\r", b"None\r", b"for i in range(2):\r", b"print(i)\r", b"\x7f\r", b"_\r"]
    got = converse(tmp_path, "x = 5\nprint('main')\n", typed)
    rub = b"\b\x1b[K"
    assert got == (
        b"main\r\n" + BANNER + b">>> x + 1\r\n6\r\n>>> None\r\n>>> for i in range(2):\r\n"
        b"...     print(i)\r\n...     " + rub * 4 + b"\r\n0\r\n1\r\n>>> _\r\n6\r\n>>> "
    )


def test_brackets_quotes_and_backslashes_are_read_on(tmp_path: Path) -> None:
    typed = [
        b"(1 +\r",
        b"2)\r",
        b"'''a\r",
        b"b'''\r",
        b"1 + \\\r",
        b"3\r",
        b"'(' + ')'\r",
        b"(\r\x03",
    ]
    got = output_lines(converse(tmp_path, "", typed))
    values = [line for line in got if not line.startswith("...")]
    assert values == ["(1 +", "3", "'''a", "'a\\nb'", "1 + \\", "4", "'(' + ')'", "'()'", "("]


def test_an_error_is_shown_and_the_prompt_comes_back(tmp_path: Path) -> None:
    got = converse(tmp_path, "1/0\n", [b"nix\r", b"1 1\r", b"1\r"])
    assert got.startswith(b'Traceback (most recent call last):\r\n  File "/main.py", line 1')
    assert b"NameError: name 'nix' isn't defined\r\n>>> 1 1\r\n" in got
    assert b"SyntaxError: invalid syntax\r\n>>> 1\r\n1\r\n>>> " in got


def test_lines_come_back_with_the_arrows(tmp_path: Path) -> None:
    got = output_lines(
        converse(tmp_path, "", [b"1\r", b"2\r", b"\x1b[A\x1b[A\r", b"\x1b[A\x1b[A\x1b[B\r"])
    )
    assert [line[-1] for line in got] == ["1", "1", "2", "2", "1", "1", "1", "1"]


def test_paste_mode_runs_a_file(tmp_path: Path) -> None:
    typed = [b"\x05def f():\r    return 7\r\rprint(f())\r\x04", b"\x05print(1)\x03", b"2\r"]
    got = converse(tmp_path, "", typed)
    start = b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== "
    assert (
        start + b"def f():\r\n===     return 7\r\n=== \r\n=== print(f())\r\n=== \r\n7\r\n>>> "
        in got
    )
    assert got.endswith(start + b"print(1)\r\n>>> 2\r\n2\r\n>>> ")


def test_the_raw_prompt_separates_output_and_error(tmp_path: Path) -> None:
    typed = [b"\x01", b"print(1)\x04", b"1/0\x04", b"lost\x03", b"print(2)\x04", b"\x02"]
    got = converse(tmp_path, "", typed)
    error = b'Traceback (most recent call last):\r\n  File "<stdin>", line 1, in <module>\r\n'
    assert got == (
        BANNER + b">>> \r\n" + RAW + b"OK1\r\n\x04\x04>"
        b"OK\x04" + error + b"ZeroDivisionError: divide by zero\r\n\x04>"
        b"OK2\r\n\x04\x04>\r\n" + BANNER + b">>> "
    )


def test_raw_paste_has_windows_of_128_bytes(tmp_path: Path) -> None:
    source = b"print('%s')" % (b"a" * 300)
    typed = [b"\x01", b"\x05A\x01", source + b"\x04", b"\x05B\x01", b"\x05A\x01", b"1\x03"]
    got = converse(tmp_path, "", typed)
    begin, end = b"R\x01\x80\x00\x01", b"\x04" + b"a" * 300 + b"\r\n\x04\x04>"
    assert begin + b"\x01" * (len(source) // 128) + end + b"R\x00>" in got
    assert got.endswith(begin + b"\x04\x04" + got.rsplit(b"\x04\x04", 1)[1])
    assert got.endswith(b"KeyboardInterrupt: \r\n\x04>")


def test_a_soft_reset_gives_a_fresh_interpreter(tmp_path: Path) -> None:
    script = (
        "import machine\nprint('main', machine.reset_cause(), machine.RTC().memory())\n"
        "machine.RTC().memory(b'kept')\n"
    )
    boot = b"print('boot')\n"
    typed = [b"y = 1\r", b"\x01", b"\x04", b"y\x04", b"\x02", b"\x04", b"raise SystemExit\r"]
    got = converse(tmp_path, script, typed, more={"/boot.py": boot})
    soft = b"\r\nMPY: soft reboot\r\nboot\r\n"
    again = b"main 5 b'kept'\r\n" + BANNER
    assert got.startswith(b"boot\r\nmain 1 b''\r\n" + BANNER)
    assert b">OK" + soft + RAW in got  # the raw prompt stays raw, and leaves out /main.py
    assert b"NameError: name 'y' isn't defined" in got
    assert b">>> " + soft + again in got
    assert got.endswith(b"raise SystemExit" + soft + again + b">>> ")


def test_a_program_that_ends_itself_starts_over(tmp_path: Path) -> None:
    script = (
        "import machine, sys, time\nif machine.reset_cause() == 1:\n    machine.soft_reset()\n"
        "print('second')\n"
    )
    assert converse(tmp_path, script, []).startswith(b"MPY: soft reboot\r\nsecond\r\n" + BANNER)


def test_a_failing_boot_file_leaves_the_main_file_out(tmp_path: Path) -> None:
    got = converse(tmp_path, "print('main')\n", [], more={"/boot.py": b"1/0\n"})
    assert b"ZeroDivisionError" in got and b"main\r\n" not in got and got.endswith(b">>> ")


def test_the_watchdog_goes_on_behind_the_prompt_and_a_soft_reset(tmp_path: Path) -> None:
    script = (
        "import machine\nprint('cause', machine.reset_cause())\n"
        "if machine.reset_cause() == 1:\n    machine.WDT(timeout=8000)\n"
    )
    at = [(2_000_000, b"\x04"), (20_000_000, b"\r")]
    got = output_lines(converse(tmp_path, script, [], at))
    assert [line for line in got if line.startswith("cause")] == ["cause 1", "cause 5", "cause 3"]


def test_ctrl_c_stops_a_program_and_ctrl_d_brings_it_back(tmp_path: Path) -> None:
    script = (
        "import asyncio\nasync def main():\n    print('counting')\n    while True:\n"
        "        await asyncio.sleep(1)\nasyncio.run(main())\n"
    )
    got = output_lines(
        converse(
            tmp_path, script, [b"1+1\r", b"\x04"], [(2_500_000, b"\x03"), (9_000_000, b"\x03")]
        )
    )
    assert got.count("counting") == 1 or got.count("counting") == 2
    assert any("KeyboardInterrupt" in line for line in got) and "2" in got


def test_files_written_at_the_prompt_are_there_after_a_hard_reset(tmp_path: Path) -> None:
    write = b"f = open('/note.txt', 'w'); f.write('kept'); f.close()\r"
    reset = b"import machine; machine.reset()\r"
    got = output_lines(converse(tmp_path, "", [write, reset, b"open('/note.txt').read()\r"]))
    assert got[-2:] == ["open('/note.txt').read()", "'kept'"]
