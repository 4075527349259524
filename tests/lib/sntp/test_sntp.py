"""The time is asked without blocking. Only a sound answer to the question is accepted."""

import asyncio
import io
import struct
import sys
from errno import EAGAIN

SERVER = ("192.0.2.11", 123)
NTP = 2_208_988_800
NOW = 1_800_000_000


class Server(io.IOBase):
    """Stands for the module `socket` and its socket. says: functions(question) -> datagrams."""

    AF_INET, SOCK_DGRAM = 2, 2

    def __init__(self, *says):
        self.says = says
        self.asked = []
        self.waiting = []  # (bytes, sender)
        self.closed = False

    def getaddrinfo(self, host, port):
        return [(0, 0, 0, "", (host, port))]

    def socket(self, *_args):
        return self

    def setblocking(self, on):
        assert on is False

    def sendto(self, data, address):
        assert address == SERVER
        self.asked.append(bytes(data))
        self.waiting += [(say(bytes(data)), SERVER) for say in self.says]

    def recvfrom(self, size):
        data, sender = self.waiting.pop(0)
        if data is None:
            raise OSError(EAGAIN)
        if data == "full":
            raise MemoryError
        if data == "stranger":
            return answer()(self.asked[0]), ("192.0.2.66", 123)
        return data[:size], sender

    def ioctl(self, op, flags):
        return (1 if self.waiting else 0) & flags if op == 3 else -22

    def close(self):
        self.closed = True


sys.modules["socket"] = Server()

import sntp as module  # noqa: E402 - needs the socket above


def answer(seconds=NOW + NTP, first=0x24, stratum=2, stamp=None, size=48):
    """A function(question) -> answer."""

    def say(question):
        head = bytes((first, stratum, 0, 0)) + bytes(8) + b"RATE" + bytes(8)
        origin = question[40:] if stamp is None else stamp
        data = head + origin + bytes(8) + struct.pack("!II", seconds & 0xFFFFFFFF, 0)
        return data[:size]

    return say


def ask(*says):
    server = module.socket = Server(*says)
    module.WAIT_S = 0.05
    bits = iter(range(7, 100))
    try:
        return asyncio.run(module.ask(SERVER[0], lambda _bits: next(bits)))
    except OSError as error:
        return str(error)
    finally:
        assert server.closed and len(server.asked) == 1
        question = server.asked[0]
        assert len(question) == 48 and question[0] == 0x23 and question[40:] == bytes(range(7, 15))


def test_the_time_of_a_sound_answer_is_taken():
    assert ask(answer()) == NOW
    for stratum in (1, 15):
        assert ask(answer(stratum=stratum)) == NOW
    for leap in (0x64, 0xA4):  # a leap second is announced
        assert ask(answer(first=leap)) == NOW


def test_the_era_that_begins_in_2036_is_known():
    for utc in (2_085_978_495, 2_085_978_497, 2_147_483_647, 2_147_483_648, 4_102_444_800):
        assert ask(answer(utc + NTP)) == utc


def test_an_answer_to_another_question_is_dropped():
    for forged in (
        answer(stamp=bytes(8)), answer(stamp=b"\xff" * 8), answer(first=0x23), answer(first=0x25),
        answer(size=47), answer(size=0), lambda _question: "stranger", lambda _question: None,
    ):  # fmt: skip
        assert ask(forged) == "ntp: no answer"
        assert ask(forged, answer()) == NOW, "the true one may follow"


def test_a_kiss_of_death_is_no_time():
    assert "RATE" in ask(answer(stratum=0))
    assert "refused" in ask(answer(stratum=16))


def test_a_server_without_a_time_is_refused():
    assert "no time" in ask(answer(first=0xE4))
    assert "no time" in ask(answer(seconds=0))


def test_silence_and_a_full_heap_are_failures():
    assert ask() == "ntp: no answer"
    assert ask(lambda _question: "full") == "ntp: no memory"
