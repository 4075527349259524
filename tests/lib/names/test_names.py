"""Names are looked up without blocking. Only the answer to the question is accepted."""

import asyncio
import io
import struct
import sys
from errno import EAGAIN, ENOMEM, ETIMEDOUT

SERVER = ("192.0.2.1", 53)
NUMBER = 0x1234
QUESTION = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x06broker\x07example\0\0\x01\0\x01"
NAME = b"\xc0\x0c"  # a pointer to the name in the question


class Server(io.IOBase):
    """Stands for the module `socket` and its socket. says: the datagrams after each question."""

    AF_INET, SOCK_DGRAM = 2, 2

    def __init__(self, *says):
        self.says = list(says)
        self.asked = []
        self.waiting = []  # (bytes, sender)
        self.blocking = None
        self.closed = False

    def getaddrinfo(self, host, port):
        return [(0, 0, 0, "", (host, port))]

    def socket(self, *_args):
        return self

    def setblocking(self, on):
        self.blocking = on

    def sendto(self, data, address):
        assert address == SERVER and self.blocking is False
        self.asked.append(bytes(data))
        self.waiting += self.says.pop(0) if self.says else []

    def recvfrom(self, size):
        data, sender = self.waiting.pop(0)
        if data is None:
            raise OSError(EAGAIN)
        if data == "full":
            raise MemoryError
        return data[:size], sender

    def ioctl(self, op, flags):
        return (1 if self.waiting else 0) & flags if op == 3 else -22

    def close(self):
        self.closed = True


sys.modules["socket"] = Server()

from names import lookup as _lookup  # noqa: E402 - needs the socket above

import names.query as module  # noqa: E402

SHORT, LONG = 0.02, 60  # seconds: for a wait that ends, and for one that an answer ends


def lookup(host, *says, waits_s=(LONG, LONG)):
    module.WAITS_S = waits_s
    server = module.socket = Server(*says)
    try:
        return asyncio.run(_lookup(host, "192.0.2.1", lambda _bits: NUMBER)), server
    finally:
        assert server.closed or not server.asked


def failure(host, *says, waits_s=(LONG, LONG)):
    try:
        found, _server = lookup(host, *says, waits_s=waits_s)
    except OSError as error:
        return error.errno
    raise AssertionError(found)


def record(kind, data, name=NAME):
    return name + struct.pack("!HHIH", kind, 1, 300, len(data)) + data


def answer(*records, flags=0x8180, question=QUESTION):
    head = question[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    return head + question[12:] + b"".join(records)


A = record(1, b"\xc0\0\x02\x0a")


def test_the_question_follows_the_rfc_and_the_answer_is_returned():
    found, server = lookup("broker.example", [(answer(A), SERVER)])
    assert found == "192.0.2.10" and server.asked == [QUESTION]


def test_an_address_needs_no_server():
    found, server = lookup("192.0.2.77")
    assert found == "192.0.2.77" and not server.asked


def test_an_address_loads_no_code():
    kept = sys.modules.pop("names.query")
    lookup("192.0.2.77")
    assert "names.query" not in sys.modules
    sys.modules["names.query"] = kept


def test_an_address_behind_other_records_is_found():
    alias = record(5, b"\x05other\xc0\x13")
    text = record(16, bytes(200), b"\x05other\x07example\0")
    found, _ = lookup("broker.example", [(answer(alias, text, A), SERVER)])
    assert found == "192.0.2.10"


def test_an_answer_in_other_letter_case_is_accepted():
    loud = answer(A).replace(b"broker", b"BroKER")
    assert lookup("broker.example", [(loud, SERVER)])[0] == "192.0.2.10"


def test_a_lost_question_is_repeated_and_a_late_answer_accepted():
    found, server = lookup("broker.example", [], [(answer(A), SERVER)], waits_s=(SHORT, LONG))
    assert found == "192.0.2.10" and server.asked == [QUESTION] * 2


def test_a_silent_server_ends_in_a_timeout():
    assert failure("broker.example", waits_s=(SHORT, SHORT)) == ETIMEDOUT


def test_a_datagram_that_is_not_the_answer_is_dropped():
    good = answer(A)
    for other in (
        (good, ("192.0.2.66", 53)),  # another sender
        (b"\x12\x35" + good[2:], SERVER),  # another number
        (good[:2] + b"\x01" + good[3:], SERVER),  # a question
        (good.replace(b"broker", b"brokes"), SERVER),  # another name
        (good[:20], SERVER),
        (b"", SERVER),
        (None, SERVER),  # woken for nothing
    ):
        assert failure("broker.example", [other], waits_s=(SHORT, SHORT)) == ETIMEDOUT, other
        assert lookup("broker.example", [other, (good, SERVER)])[0] == "192.0.2.10"


def test_a_name_without_an_address_is_not_found():
    mail = record(15, b"\0\x0a\xc0\x0c")
    for said in (answer(flags=0x8183), answer(), answer(mail), answer(record(1, b"\x01\x02"))):
        assert failure("broker.example", [(said, SERVER)]) == -202


def test_an_answer_cut_short_anywhere_is_not_found():
    whole = answer(record(5, b"\x05other\xc0\x13"), A)
    for size in range(len(QUESTION), len(whole)):
        assert failure("broker.example", [(whole[:size], SERVER)]) == -202, size


def test_a_malformed_name_is_not_found():
    for host in ("", "a..b", "x" * 64 + ".example", ".example"):
        assert failure(host) == -202, host


def test_a_local_name_is_left_to_the_port():
    found, server = lookup("broker.local")
    assert found == "broker.local" and not server.asked


def test_a_full_heap_is_an_oserror():
    error = failure("broker.example", [("full", SERVER)])
    assert error == ENOMEM
