"""A scripted SPI bus: writes are kept, reads are answered from a table."""

from binascii import hexlify


class Bus:
    """said: transactions as hexadecimal text. answers: bytes to read, by bytes written before."""

    def __init__(self, answers=None):
        self.said = []
        self.answers = answers or {}
        self.cs = Line(1, self._select)
        self._open = b""

    def _select(self, level):
        if level == 0:
            self._open = b""
        elif self._open:
            self.said.append(hexlify(self._open).decode())

    def write(self, data):
        assert self.cs.level == 0, "chip select is not active"
        self._open += bytes(data)

    def readinto(self, buf):
        assert self.cs.level == 0, "chip select is not active"
        answer = self.answers.get(self._open, b"")
        for i in range(len(buf)):
            buf[i] = answer[i] if i < len(answer) else 0

    def pop_said(self):
        """Return the transactions so far, and forget them."""
        said, self.said = self.said, []
        return said


class Line:
    """A pin. level: its level. changed(level): called at a change. handler: of its interrupt."""

    IRQ_RISING = 2

    def __init__(self, level=0, changed=None):
        self.level = level
        self.changed = changed
        self.handler = None
        self.seen = []

    def value(self, level=None):
        if level is None:
            return self.level
        self.level = level
        self.seen.append(level)
        if self.changed:
            self.changed(level)

    def irq(self, handler, trigger):
        assert trigger == self.IRQ_RISING
        self.handler = handler


class Request:
    """A request of the MAC."""

    def __init__(self, freq_hz=868_100_000, sf=7, bw_hz=125_000, **rest):
        self.freq_hz, self.sf, self.bw_hz = freq_hz, sf, bw_hz
        self.power_dbm = rest.get("power_dbm", 14)
        self.data = memoryview(rest.get("data", b"\1\2\3"))
        self.symbols = rest.get("symbols", 8)


def failure(call, *arguments):
    """The text of the OSError or ValueError that a call raises."""
    try:
        call(*arguments)
    except (OSError, ValueError) as error:
        return str(error)
    raise AssertionError("accepted")
