"""The SPI bus of the simulated board: bytes, time, and lines that answer at once."""

from __future__ import annotations

from pathlib import Path

from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from simulator.world.spec import NodeSpec
from tests.support.boards.seam_board import DeadNetwork, Log, ScriptedSensor, image

CS, BUSY, DIO = 8, 13, 14
HEAD = f"""
import time
from machine import SPI, Pin, SoftSPI
spi = SPI(1, baudrate=1_000_000, sck=Pin(9), mosi=Pin(10), miso=Pin(11))
cs = Pin({CS}, Pin.OUT, value=1)
busy, dio = Pin({BUSY}), Pin({DIO})
"""


class Echo:
    """Answers with every byte inverted. BUSY for 500 us after each transaction, then a report."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.got: list[bytes] = []
        self.powered: list[bool] = []

    def on_start(self) -> None:
        self.node.edge(DIO, 1)

    def power(self, on: bool) -> None:
        self.powered.append(on)

    def pin(self, gpio: int, level: int) -> None:
        if gpio == CS and level:
            self.node.edge(BUSY, 1)
            self.node.call_at(self.node.now_us + 500, self._ready)

    def _ready(self) -> None:
        self.node.edge(BUSY, 0)
        self.node.edge(DIO, 1)

    def spi(self, data: bytes) -> bytes:
        self.got.append(data)
        return bytes(value ^ 0xFF for value in data)


def run(folder: Path, script: str) -> tuple[list[str], Echo]:
    compile_shims()
    log = Log()
    node = Node(
        NodeSpec("n1", image(folder / "flash.bin", HEAD + script), 0, 1),
        DeadNetwork(), ScriptedSensor(), log,
    )  # fmt: skip
    echo = Echo(node)
    node.peripheral = echo
    node.run(5_000_000)
    node.stop()
    return log.lines(), echo


def test_bytes_go_out_and_come_in(tmp_path: Path) -> None:
    lines, echo = run(
        tmp_path,
        """
spi.write(b"abc")
into = bytearray(2)
spi.readinto(into)
print(bytes(into), spi.read(1, 0x0F))
spi.write_readinto(b"\\x01\\x02", into)
print(bytes(into))
spi.write_readinto(memoryview(bytearray(300))[:260], bytearray(260))
try:
    spi.write_readinto(b"abc", into)
except ValueError as error:
    print(error)
try:
    SPI(0)
except ValueError as error:
    print(error)
SoftSPI(baudrate=100_000, sck=Pin(9), mosi=Pin(10), miso=Pin(11)).write(b"soft")
""",
    )
    assert lines == [
        r"b'\xff\xff' b'\xf0'",
        r"b'\xfe\xfd'",
        "buffers must be the same length",
        "SPI(0) does not exist",
    ]
    sizes = [b"abc", bytes(2), b"\x0f", b"\1\2", bytes(260), b"soft"]
    assert echo.got == sizes and echo.powered == [True]


def test_a_bit_lasts_its_time_on_the_wire(tmp_path: Path) -> None:
    lines, _ = run(
        tmp_path,
        """
begin = time.ticks_us()
spi.write(bytes(100))
print(time.ticks_diff(time.ticks_us(), begin))
""",
    )
    assert 800 <= int(lines[0]) <= 810


def test_a_line_that_the_chip_moves_is_seen_at_once(tmp_path: Path) -> None:
    lines, _ = run(
        tmp_path,
        """
time.sleep_ms(1)
print(busy.value(), dio.value())
cs.value(0)
spi.write(b"x")
cs.value(1)
begin = time.ticks_us()
print(busy.value())
while busy.value():
    time.sleep_us(10)
print(time.ticks_diff(time.ticks_us(), begin) // 50)
""",
    )
    assert lines == ["0 1", "1", "10"]


def test_an_event_started_by_a_command_ends_a_sleep(tmp_path: Path) -> None:
    lines, _ = run(
        tmp_path,
        """
time.sleep_ms(1)
dio.levels[14] = 0
seen = []
dio.irq(lambda pin: seen.append(time.ticks_us()), Pin.IRQ_RISING)
cs.value(0)
cs.value(1)
begin = time.ticks_us()
time.sleep_ms(2000)
print(len(seen), time.ticks_diff(seen[0], begin) // 100)
""",
    )
    assert lines in (["1 4"], ["1 5"])
