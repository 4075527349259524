"""AT modems on a hostile line: no exception, no stall, and the next true answer is understood."""

import asyncio
import random
import time

from board_parts import FakeUart
from modem import codes
from modem.at_client import AtClient
from modem.lines import Lines
from modem.provision import DIALECTS, load_dialect
from modem_scripts import SCRIPTS, Seen

LINES = 40_000  # for each dialect


def _seeded(seed):
    random.seed(seed)
    return random


def _words(name):
    """Real lines of the modem, to be damaged."""
    found = []
    for answer in SCRIPTS[name].values():
        found += [line for line in answer.split(b"\r\n") if line]
    found += [b"+EVT:RX_1:-81:7:UNICAST:2:0a0B", b"Restricted_Wait_77_ms", b"AT_BUSY_ERROR"]
    found += [b"+MSGHEX: No band in 77ms", b"mac_rx 1 aabb", b"RN2483 1.0.5", b"AT_ERROR"]
    return found


def _damaged(rng, words):
    line = bytearray(words[rng.randrange(len(words))])
    for _ in range(rng.randrange(4)):
        kind = rng.randrange(4)
        at = rng.randrange(len(line) + 1)
        if kind == 0:
            line[at:] = b""
        elif kind == 1 and at < len(line):
            line[at] = rng.randrange(256)
        elif kind == 2:
            line[at:at] = bytes([rng.randrange(256) for _ in range(rng.randrange(6))])
        else:
            line[at:] = words[rng.randrange(len(words))]
    return bytes(line) + (b"\r\n", b"\n", b"\r", b"")[min(3, rng.randrange(12))]


class Storm(FakeUart):
    """Puts a burst of damaged lines before the true answer, or sends nothing but damage."""

    def __init__(self, name, rng, limit):
        super().__init__(None)
        self.words, self.rng, self.left = _words(name), rng, limit
        self.true = b""

    def write(self, data):
        burst = b"".join([_damaged(self.rng, self.words) for _ in range(min(self.left, 40))])
        self.left -= min(self.left, 40)
        self.inject(burst + b"\r\n" + self.true)
        return len(data)

    def drop(self):
        """Lose the bytes that have not been read."""
        self._rx = b""


def test_damaged_lines_raise_nothing_and_the_next_answer_is_understood():
    for name in DIALECTS:
        _storm(name)


def _storm(name):
    dialect = load_dialect(name)
    seen = Seen(name)
    uart = Storm(name, _seeded(11), LINES)
    client = AtClient(uart, dialect, seen.device.on_event)

    async def work():
        while uart.left:
            code = await client.ask(b"AT+X", codes.SENT | codes.DONE | codes.TIME_FAILED, 1)
            assert code >= 0
            _all_parsers(dialect, uart.rng, uart.words)
        client.pump()
        uart.true = SCRIPTS[name][dialect.EUI_QUERY]
        uart.drop()
        assert await client.ask(dialect.EUI_QUERY, dialect.QUERY_END) == dialect.QUERY_END
        assert dialect.parse_eui(client.value) == b"70B3D57ED0000002"

    asyncio.run(work())
    assert seen.device.state()["joined"] is False


def _all_parsers(dialect, rng, words):
    line = _damaged(rng, words)
    for parse in (
        dialect.parse_downlink,
        dialect.parse_signal,
        dialect.parse_time,
        dialect.parse_wait_ms,
        dialect.is_joined,
        dialect.parse_eui,
    ):
        parse(line)
    for name, _command in dialect.FACT_QUERIES:
        dialect.parse_value(name, line)


def test_lines_survive_any_bytes_and_any_cut():
    rng = _seeded(5)
    lines = Lines()
    good = 0
    for i in range(3000):
        junk = bytes([rng.randrange(256) for _ in range(rng.randrange(900))])
        good += _fed(lines, rng, junk + b"\n" + b"mac_tx_ok\r\n")
        assert good == i + 1


def _fed(lines, rng, data):
    """Feed bytes, cut anywhere. Returns how often the good line came out."""
    found = 0
    while data:
        space = lines.space()
        n = min(len(space), len(data), 1 + rng.randrange(700))
        assert n > 0
        space[:n] = data[:n]
        lines.added(n)
        data = data[n:]
        line = lines.next()
        while line is not None:
            assert 0 < len(line) <= 544
            found += line == b"mac_tx_ok"
            line = lines.next()
    return found


def test_a_line_without_an_end_is_dropped_and_counted():
    lines = Lines()
    rng = _seeded(1)
    assert _fed(lines, rng, b"x" * 5000 + b"\r\nmac_tx_ok\r\n") == 1
    assert lines.dropped_long == 1
    assert _fed(lines, rng, b"y" * 540 + b"\x00\r\nmac_tx_ok\r\n") == 1
    assert lines.dropped_foreign == 1


def test_noise_without_end_does_not_move_a_deadline():
    class Endless(FakeUart):
        def any(self):
            return 100

        def readinto(self, buf):
            n = min(len(buf), 100)
            buf[:n] = b"noise without end \r\n"[:1] * n if n < 20 else (b"noise no\r\n" * 10)[:n]
            return n

        def ioctl(self, op, flags):
            return 1 & flags if op == 3 else -22

    client = AtClient(Endless(), load_dialect("rui3"), lambda code, line: None)
    start = time.ticks_ms()
    assert asyncio.run(client.ask(b"AT", codes.OK, 50)) == 0
    asyncio.run(client.settle())
    assert time.ticks_diff(time.ticks_ms(), start) < 5000


def test_an_answer_in_pieces_and_an_echo_are_no_obstacle():
    uart = FakeUart()
    client = AtClient(uart, load_dialect("rui3"), lambda code, line: None)

    async def pieces():
        for piece in (b"AT+DR=", b"?\r\nAT+", b"DR=4\r", b"\n\r\nO", b"K\r\n"):
            await asyncio.sleep_ms(5)
            uart.inject(piece)

    async def work():
        task = asyncio.create_task(pieces())
        assert await client.ask(b"AT+DR=?", codes.OK) == codes.OK
        await task
        assert load_dialect("rui3").parse_value("dr", client.value) == 4

    asyncio.run(work())


def test_a_late_answer_is_not_taken_for_the_next_ones():
    uart = FakeUart()
    client = AtClient(uart, load_dialect("rui3"), lambda code, line: None)

    async def work():
        assert await client.ask(b"AT+DR=?", codes.OK, 20) == 0 and client.is_unsettled
        uart.inject(b"AT+DR=4\r\nOK\r\n")
        await client.settle()
        assert not client.is_unsettled
        assert await client.ask(b"AT+NJS=?", codes.OK, 20) == 0
        assert client.value == b""

    asyncio.run(work())
