"""One request of the MAC on a scripted chip: ends, missed interrupts, noise, a silent chip."""

import asyncio

from lorawan_end_device import VirtualTime

from lorawan.device import radio_io, storage
from lorawan.device.radio_io import RadioIo
from lorawan.device.storage import Micros
from lorawan.regions.region import airtime_us, symbol_us

MS = 1000
TOA_US = airtime_us(7, 125_000, 20)
NEVER = 9999 * MS


class Request:
    freq_hz, sf, bw_hz, symbols = 868_100_000, 7, 125_000, 8
    data = bytes(20)

    def __init__(self, open_us=0):
        self.open_us = open_us


class Chip:
    """The driver and its flag. steps: (us until the interrupt, or NEVER; outcome after it)."""

    NOTHING, SENT, RECEIVED, TIMED_OUT, GARBLED = range(5)
    rssi, snr = -90, 5

    def __init__(self, *steps, late_us=0, setup_us=0, header=False):
        self.time = radio_io.time = radio_io.asyncio = storage.time = VirtualTime()
        self.flag, self.irq_us = self, None
        self._steps, self._late_us, self.setup_us = list(steps), late_us, setup_us
        self._header = header
        self.calls = []  # (us, name)
        self.io = RadioIo(self, Micros())

    def _note(self, name):
        self.calls.append((self.time.us, name))

    async def wait(self):
        delay_us = self._steps[0][0]
        if delay_us == NEVER:
            await asyncio.sleep_ms(1000)
        self.time.us += delay_us
        self.irq_us = self.time.us
        self.time.us += self._late_us

    def outcome(self):
        return self._steps.pop(0)[1]

    def transmit(self, _request):
        self._note("transmit")
        self.irq_us = None

    def prepare(self, _request):
        self._note("prepare")
        self.time.us += self.setup_us

    def listen(self):
        self._note("listen")

    def standby(self):
        self._note("standby")

    def has_header(self):
        return self._header

    def data(self):
        return b"frame"

    def sent(self):
        return asyncio.run(self.io.transmit(Request()))

    def heard(self, open_us=0):
        return asyncio.run(self.io.listen(Request(open_us)))


def test_the_end_of_a_transmission_is_the_time_of_its_interrupt():
    chip = Chip((TOA_US + 700, Chip.SENT), late_us=3 * MS)
    assert chip.sent() == (TOA_US, TOA_US + 700)
    assert chip.io.late_us == 3 * MS and chip.io.errors["irq"] == 0


def test_a_missed_interrupt_is_counted_and_the_end_computed():
    chip = Chip((NEVER, Chip.SENT))
    assert chip.sent() == (TOA_US, TOA_US) and chip.io.errors["irq"] == 1
    chip = Chip((5 * MS, Chip.NOTHING), (NEVER, Chip.SENT))  # an edge of the event before
    assert chip.sent() == (TOA_US, TOA_US) and chip.io.errors["irq"] == 1


def test_a_transmission_may_end_late_but_not_later_than_a_second():
    chip = Chip((NEVER, Chip.NOTHING), (900 * MS, Chip.SENT))
    assert chip.sent()[1] == chip.irq_us
    chip = Chip((NEVER, Chip.NOTHING), (NEVER, Chip.NOTHING))
    try:
        chip.sent()
        raise AssertionError("sent")
    except OSError as error:
        assert "no end" in str(error)
    assert 1000 * MS <= chip.time.us - TOA_US <= 1050 * MS


def test_a_window_opens_on_time_and_its_preparation_is_measured():
    chip = Chip((50 * MS, Chip.RECEIVED), setup_us=40 * MS)
    assert chip.io.lead_us() == 10 * MS, "until it is measured"
    frame, now_us = chip.heard(200 * MS)
    assert (frame, now_us) == (b"frame", 200 * MS - 300 + 50 * MS)
    assert [name for _us, name in chip.calls] == ["prepare", "listen", "standby"]
    assert chip.calls[1][0] == 200 * MS - 300, "a receiver needs 0.3 ms to begin"
    assert (chip.io.rssi, chip.io.snr) == (-90, 5)
    assert chip.io.setup_us == chip.io.lead_us() == 40 * MS


def test_a_window_that_is_late_opens_at_once():
    chip = Chip((5 * MS, Chip.TIMED_OUT), setup_us=40 * MS)
    assert chip.heard(20 * MS) == (None, 45 * MS)
    assert chip.io.errors == {"radio": 0, "crc": 0, "irq": 0, "deaf": 0} and chip.io.rssi is None


def test_the_longest_preparation_fades():
    chip = Chip(*[(5 * MS, Chip.TIMED_OUT)] * 12, setup_us=80 * MS)
    chip.heard()
    chip.setup_us = 16 * MS
    found = []
    for _ in range(11):
        chip.heard()
        found.append(chip.io.setup_us)
    assert found[0] == 70 * MS and found[1] == 61_250 and found[-1] < 20 * MS


def test_damaged_frames_and_silence_of_the_chip_are_counted():
    chip = Chip((5 * MS, Chip.GARBLED))
    assert chip.heard()[0] is None and chip.io.errors["crc"] == 1
    chip = Chip((NEVER, Chip.NOTHING), (NEVER, Chip.NOTHING))
    frame, now_us = chip.heard()
    assert frame is None and chip.io.errors["deaf"] == 1
    symbol = symbol_us(7, 125_000)
    assert 23 * symbol + 20 * MS <= now_us <= 23 * symbol + 22 * MS, "RX2 is not lost with it"
    assert chip.calls[-1][1] == "standby"


def test_a_frame_whose_header_has_come_is_awaited_to_its_end():
    for header, frame in ((True, b"frame"), (False, None)):
        chip = Chip(
            (NEVER, Chip.NOTHING), (NEVER, Chip.NOTHING), (300 * MS, Chip.RECEIVED), header=header
        )
        assert chip.heard()[0] == frame
    chip = Chip((NEVER, Chip.NOTHING), (10 * MS, Chip.RECEIVED))
    assert chip.heard()[0] == b"frame", "a short one ends before anybody asks for its header"
