"""The simulated ESP32 behaves as the port does."""

from __future__ import annotations

from pathlib import Path

from tests.support.boards.seam_board import board

PINS = """
import time, machine
from machine import Pin
seen = []
def edge(pin):
    seen.append((time.ticks_us(), pin.value()))
pin = Pin(25, Pin.IN, Pin.PULL_UP)
pin.irq(handler=edge, trigger=Pin.IRQ_FALLING | Pin.IRQ_RISING)
"""


def edges(start_us: int, count: int, step_us: int) -> list[tuple[int, int, bytes]]:
    return [(start_us + i * step_us, 0x40, bytes([25, i % 2])) for i in range(count)]


def test_ticks_wrap_five_seconds_after_boot(tmp_path: Path) -> None:
    log, _ = board(
        tmp_path,
        "import time\na=time.ticks_ms()\ntime.sleep(6)\nb=time.ticks_ms()\n"
        "print(a > (1 << 30) - 5001, b, time.ticks_diff(b, a), time.gmtime(0)[0])",
    )
    first, wrapped, diff, epoch = log.lines()[0].split()
    assert first == "True" and 990 <= int(wrapped) <= 1010
    assert 5999 <= int(diff) <= 6002 and epoch == "2000"


def test_asyncio_lives_in_virtual_time(tmp_path: Path) -> None:
    script = """
import asyncio, time
async def main():
    t = time.ticks_ms()
    await asyncio.sleep(7)
    print(time.ticks_diff(time.ticks_ms(), t))
    task = asyncio.create_task(forever())
    await asyncio.sleep(1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
    try:
        await asyncio.wait_for(forever(), 1)
    except asyncio.TimeoutError:
        print("timeout")
async def forever():
    while True:
        await asyncio.sleep(100)
asyncio.run(main())
"""
    log, _ = board(tmp_path, script, seconds=12)
    assert 7000 <= int(log.lines()[0]) <= 7003
    assert log.lines()[1:] == ["cancelled", "timeout"]


def test_an_edge_calls_its_handler_at_its_time(tmp_path: Path) -> None:
    script = PINS + "time.sleep(2)\nprint(len(seen), time.ticks_diff(seen[1][0], seen[0][0]))"
    log, _ = board(tmp_path, script, edges(1_000_000, 20, 1000))
    count, gap = log.lines()[0].split()
    assert count == "20" and abs(int(gap) - 1000) < 20


def test_the_interrupt_queue_holds_eight_while_flash_is_erased(tmp_path: Path) -> None:
    script = (
        "import esp32\n" + PINS + "p = esp32.Partition.find(1, label='ring')[0]\n"
        "time.sleep_ms(640)\np.ioctl(6, 0)\nprint(len(seen))"
    )
    log, _ = board(tmp_path, script, edges(1_000_000, 30, 1000))
    assert log.lines() == ["8"]


def test_an_error_of_a_pin_handler_is_shown_and_the_program_goes_on(tmp_path: Path) -> None:
    script = """
import machine, time
def handler(_pin):
    raise ValueError("of the handler")
machine.Pin(25, machine.Pin.IN, machine.Pin.PULL_UP).irq(handler=handler)
time.sleep(2)
print("goes on")
"""
    log, _ = board(tmp_path, script, edges(1_000_000, 1, 1000))
    shown = "".join(log.lines())
    assert "ValueError: of the handler" in shown and shown.endswith("goes on")


def test_the_uart_overflows_in_silence(tmp_path: Path) -> None:
    script = (
        "import machine, time\nu = machine.UART(1, 115200, rxbuf=300)\n"
        "time.sleep(2)\nprint(u.any(), len(u.read()), u.read())"
    )
    log, _ = board(tmp_path, script, [(1_000_000 + i, 1, b"x" * 100) for i in range(9)])
    assert log.lines() == ["300 300 None"]


def test_flash_only_clears_bits_and_survives_a_reset(tmp_path: Path) -> None:
    script = """
import esp32, machine
p = esp32.Partition.find(1, label="ring")[0]
b = bytearray(2)
p.readblocks(3, b, 8)
print(b, machine.reset_cause())
if machine.reset_cause() == 1:
    p.writeblocks(3, b"\\xf0\\x0f", 8)
    p.writeblocks(3, b"\\x3c\\xff", 8)
    machine.reset()
p.ioctl(6, 3)
p.readblocks(3, b, 8)
print(b)
try:
    p.readblocks(256, b, 0)
except OSError as e:
    print(e.errno)
"""
    log, node = board(tmp_path, script)
    assert log.lines() == [
        "bytearray(b'\\xff\\xff') 1", "bytearray(b'0\\x0f') 2", "bytearray(b'\\xff\\xff')", "-260"
    ]  # fmt: skip
    assert node.flash.violations == ["flash: programmed over programmed bytes at 0x303008"]
    assert node.flash.erases == {0x303000 // 4096: 1}


def test_rtc_memory_outlives_a_reset_but_not_the_power(tmp_path: Path) -> None:
    script = """
import machine, time
m = machine.RTC()
print(m.memory(), machine.reset_cause())
if not m.memory():
    m.memory(b"kept")
    if len(m.memory()) == 4:
        machine.reset()
time.sleep(1)
m.memory(b"gone")
time.sleep(100)
"""
    log, _ = board(tmp_path, script, power_off=[(3_000_000, 1_000_000)], seconds=5)
    assert log.lines()[:3] == ["b'' 1", "b'kept' 2", "b'' 1"]
    assert log.count("cut") == 1


def test_a_cut_in_an_erase_tears_it(tmp_path: Path) -> None:
    script = """
import esp32, machine
p = esp32.Partition.find(1, label="ring")[0]
b = bytearray(1)
p.readblocks(0, b, 0)
if b[0] == 0xFF:
    p.writeblocks(0, bytes(64), 0)
    p.ioctl(6, 0)
"""
    log, _ = board(tmp_path, script, power_cuts=[5], seconds=5)
    assert log.count("cut") == 1
    torn = (tmp_path / "flash.bin").read_bytes()[0x300000 : 0x300000 + 64]
    assert log.count("boot") == 2 and torn not in (b"\xff" * 64, bytes(64))


def test_the_watchdog_bites_a_node_that_sleeps_too_long(tmp_path: Path) -> None:
    script = (
        "import machine, time\nprint(machine.reset_cause())\n"
        "w = machine.WDT(timeout=3000)\ntime.sleep(2)\nw.feed()\ntime.sleep(4)\nprint('never')"
    )
    log, _ = board(tmp_path, script, seconds=9)
    assert log.lines() == ["1", "3"] and log.count("reset:watchdog") >= 1


def test_sockets_behave_as_on_the_port(tmp_path: Path) -> None:
    script = """
import socket, time
try:
    socket.getaddrinfo("nowhere", 1883)
except OSError as e:
    print(e.errno)
a = socket.getaddrinfo("broker", 1883)[0][-1]
s = socket.socket()
s.settimeout(2)
t = time.ticks_ms()
try:
    s.connect(a)
except OSError as e:
    print(a, e.errno, time.ticks_diff(time.ticks_ms(), t))
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(0)
try:
    u.recv(4)
except OSError as e:
    print(e.errno)
"""
    log, _ = board(tmp_path, script, seconds=20)
    code, refused, again = log.lines()
    assert code == "-202" and again == "11"
    assert refused.startswith("('192.0.2.7', 1883) 116 200")


def test_no_handler_runs_while_a_name_is_looked_up(tmp_path: Path) -> None:
    """lwip_getaddrinfo holds the interpreter's task until it has an answer or gives up."""
    script = """
import machine, socket, time
p = machine.Pin(25, machine.Pin.IN, machine.Pin.PULL_UP)
times = []
p.irq(handler=lambda p: times.append(time.ticks_ms()))
t = time.ticks_ms()
try:
    socket.getaddrinfo("nowhere", 1883)
except OSError:
    print(len(times), time.ticks_diff(time.ticks_ms(), t))
print(min(time.ticks_diff(at, t) for at in times))
"""
    edges = [(1_000_000 * (i + 1), 0x40, bytes([25, i % 2])) for i in range(12)]
    log, _ = board(tmp_path, script, edges, seconds=20)
    counted, earliest = log.lines()
    assert counted == "8 14000" and earliest == "14000"  # a queue of 8, and all at the end


def test_a_crash_is_shown_and_the_same_script_runs_alike_twice(tmp_path: Path) -> None:
    script = "import gc\nprint(gc.mem_free())\nraise ValueError('x')"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, _ = board(tmp_path / "a", script)
    two, _ = board(tmp_path / "b", script)
    assert one.seen == two.seen and "ValueError: x" in one.lines()[1]
