"""The console as the ESP32 port has it: stdin, stdout, Ctrl-C (sys_stdio_mphal.c, uart.c)."""

from __future__ import annotations

from pathlib import Path

from tests.support.boards.seam_board import board
from tests.support.boards.typing_board import converse, output_lines


def test_text_goes_out_with_carriage_returns_and_bytes_as_they_are(tmp_path: Path) -> None:
    script = (
        "import sys\nprint('a')\nsys.stdout.write('b\\n')\nsys.stdout.buffer.write(b'c\\n\\xff')\n"
        "try:\n 1/0\nexcept Exception as e:\n sys.print_exception(e)\n"
        "print(len('x' * 3000), 'y' * 3000)\n"
    )
    got = converse(tmp_path, script, [])
    assert got.startswith(b"a\r\nb\r\nc\n\xffTraceback (most recent call last):\r\n  File")
    assert b"ZeroDivisionError: divide by zero\r\n3000 " + b"y" * 3000 + b"\r\n" in got


def test_reading_waits_until_all_is_there(tmp_path: Path) -> None:
    script = (
        "import sys, time\nt = time.ticks_ms()\n"
        "print(sys.stdin.read(3), time.ticks_diff(time.ticks_ms(), t) // 1000)\n"
        "print(sys.stdin.buffer.read(2), sys.stdin.readline(), sys.stdin.buffer.readline())\n"
        "b = bytearray(3)\nprint(sys.stdin.buffer.readinto(b), b, sys.stdin.read(2))\n"
    )
    typed = [(1_000_000, b"ab"), (3_000_000, b"c"), (4_000_000, b"\r\nlast\rnext\n1234\xc3\xa45")]
    got = output_lines(converse(tmp_path, script, [], typed))
    assert got[:4] == ["abc 2", "b'\\r\\n' last", " b'next\\n'", "3 bytearray(b'123') 4ä"]


def test_asyncio_reads_the_console_and_a_poll_sees_it(tmp_path: Path) -> None:
    script = """
import asyncio, select, sys
async def main():
    reader = asyncio.StreamReader(sys.stdin.buffer)
    print(await reader.readline(), await reader.read(1))
poller = select.poll()
poller.register(sys.stdin, select.POLLIN)
print(len(poller.poll(500)))
print(len(poller.poll(1000)))
asyncio.run(main())
"""
    got = output_lines(
        converse(tmp_path, script, [], [(1_200_000, b"on"), (3_000_000, b"e\ntwo")])
    )
    assert got[:3] == ["0", "1", "b'one\\n' b't'"]


def test_bytes_beyond_the_ring_are_dropped_in_silence(tmp_path: Path) -> None:
    script = (
        "import sys, select, time\ntime.sleep(2)\n"
        "p = select.poll()\np.register(sys.stdin)\nn = 0\n"
        "while p.poll(0)[0][1] & 1:\n    last = sys.stdin.read(1)\n    n += 1\nprint(n, last)\n"
    )
    typed = bytes(range(48, 58)) * 30
    assert output_lines(converse(tmp_path, script, [], [(1_000_000, typed)]))[0] == "259 8"


def test_ctrl_c_ends_a_waiting_call_alone(tmp_path: Path) -> None:
    script = """
import asyncio, esp32, micropython, sys, time
try:
    time.sleep(10)
except KeyboardInterrupt:
    print("sleep")
ring = esp32.Partition.find(1, label="ring")[0]
try:
    for block in range(40):
        ring.ioctl(6, block)
    print("erased", block + 1)
    time.sleep(1)
except KeyboardInterrupt:
    print("after")
micropython.kbd_intr(-1)
print(sys.stdin.buffer.read(2))
micropython.kbd_intr(3)
async def main():
    await asyncio.sleep(10)
asyncio.run(main())
"""
    times = [(second * 1_000_000, b"\x03") for second in (1, 3, 8)]
    got = output_lines(converse(tmp_path, script, [], [*times, (6_000_000, b"a\x03")]))
    assert got[:4] == ["sleep", "erased 40", "after", "b'a\\x03'"]
    assert got[4].startswith("Traceback") and "KeyboardInterrupt: " in got


def test_bytes_after_ctrl_c_are_not_read_by_the_ended_program(tmp_path: Path) -> None:
    script = """
import asyncio, esp32, sys
async def main():
    while True:
        print("read", await asyncio.StreamReader(sys.stdin.buffer).read(1))
esp32.Partition.find(1, label="ring")[0].ioctl(6, 0)  # interrupts wait for its end
asyncio.run(main())
"""
    got = output_lines(converse(tmp_path, script, [], [(360_000, b"\x03print(7)\r")]))
    assert "KeyboardInterrupt: " in got and got[-2:] == ["print(7)", "7"]
    assert not [line for line in got if line.startswith("read")]


def test_a_node_without_a_console_has_nothing_to_read(tmp_path: Path) -> None:
    script = (
        "import select, sys\nfrom micropython import const, kbd_intr\n"
        "p = select.poll()\np.register(sys.stdin)\nprint(p.poll(1000)[0][1])\n"
        "p.modify(sys.stdin, select.POLLIN)\nprint(p.poll(1000), sys.platform)\n"
    )
    log, _ = board(tmp_path, script)
    assert log.lines() == ["4", "[] esp32"]
