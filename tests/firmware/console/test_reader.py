"""The console: lines become commands, noise is dropped, and no memory is kept."""

import asyncio
import gc
import json
import random
import sys

from console.reader import serve_console
from console_node import SerialNode
from core.modules import keep_modules, unload
from core.supervisor import Progress

_LATE = (
    "console.session", "commands.registry", "commands.basic", "commands.diagnostics",
    "config.schema",
)  # fmt: skip


def test_a_command_is_answered_by_one_line_in_the_form_of_mqtt():
    node = SerialNode()
    for end in ("\n", "\r", "\r\n"):
        (line,) = node.send('{"id":"a","cmd":"ping"}' + end)
        assert json.loads(line) == {"v": 1, "id": "a", "ok": True, "result": "pong"}
    assert json.loads(node.send(' \x15{"id":1,"cmd":"reboot"}\n')[0])["ok"] and node.resets == 1


def test_enter_alone_is_answered_with_a_greeting_once_a_second():
    node = SerialNode()
    (line,) = node.send("\r\n\r\r\n\r")
    assert line.startswith("Tallypost ") and "node n1" in line and "esp32_generic" in line
    assert '{"id":1,"cmd":"status"}' in line
    seconds = iter(range(100))
    node.uptime_s = lambda: next(seconds)
    assert len(node.send("\r\r\r")) == 3


def test_other_lines_are_ignored():
    node = SerialNode()
    for text in (
        b"help\n",
        b"AT\r\n",
        b" {\n",
        b"\xff\xfe\x00\n",
        b"x" * 500 + b"{\n",
        b"[1]\n",
    ):
        assert node.send(text) == [] and node.refused_commands == 0
    assert node.ask(id=1, cmd="ping")["ok"]


def test_ctrl_u_drops_the_line_as_far_as_it_has_come():
    node = SerialNode()
    assert len(node.send('noise{"id":1,"cm\x15{"id":2,"cmd":"ping"}\n')) == 1
    assert len(node.send('{"id":1,"cmd":"reboot"}\x15\x15{"id":2,"cmd":"ping"}\n')) == 1
    assert node.resets == 0


def test_a_garbled_line_is_refused_counted_and_answered():
    node = SerialNode()
    for text, why in (
        (b"{\n", "not JSON"),
        (b'{"id":1,"cmd":"pi\xff\xfeng"\n', "not JSON"),
        (b'{"cmd":"ping"}\n', "id"),
        (b'{"id":5,"cmd":"pong"}\n', "unknown command; known: aim, calibrate, check"),
    ):
        before = node.refused_commands
        (line,) = node.send(text)
        reply = json.loads(line)
        assert not reply["ok"] and why in reply["error"], line
        assert node.refused_commands == before + 1


def test_a_command_with_an_id_that_is_no_text_is_answered():
    node = SerialNode()
    for name in (b"\xff" * 90, b"\x80" * 99, b"\xc3" * 50, "ä€".encode() * 20):
        (line,) = node.send(b'{"id":"' + name + b'","cmd":"ping"}\n')
        assert line.startswith("{")
    assert node.ask(id="ä€😀" * 20, cmd="ping")["id"] == "ä€😀" * 20


def test_a_command_is_at_most_as_long_as_over_mqtt():
    node = SerialNode()
    head = '{"id":1,"cmd":"ping","x":"'
    fits = head + "y" * (2048 - len(head) - 2) + '"}'
    assert json.loads(node.send(fits + "\n")[0])["ok"]
    for more in (1, 100):
        before = node.refused_commands
        (line,) = node.send(fits[:-2] + "y" * more + '"}\n')
        assert "command of %d bytes, at most 2048" % (2048 + more) in line, line
        assert node.refused_commands == before + 1
    assert node.ask(id=1, cmd="ping")["ok"]


def test_a_full_heap_refuses_the_command_and_nothing_else():
    keep_modules()
    from console import session

    async def full(*_args):
        raise MemoryError

    node = SerialNode()
    session.answer_line = full  # until the reader unloads the module
    assert node.ask(id=1, cmd="ping") == {"v": 1, "id": None, "ok": False, "error": "no memory"}
    assert node.refused_commands == 1
    assert node.ask(id=1, cmd="ping")["ok"]


def test_pieces_are_short_so_that_pin_handlers_run_between_them():
    node = SerialNode()
    node.ask(id="x" * 100, cmd="check")
    assert node.port.longest <= 48


def test_an_answered_line_leaves_no_module_and_no_memory():
    node = SerialNode()
    node.progress = Progress("console", 60, node.uptime_s)
    node.ask(id=1, cmd="check")
    for name in _LATE:
        unload(name)  # this test has loaded them
    keep_modules()
    node.ask(id=1, cmd="check")
    node.ask(id=1, cmd="config_set", config={"site": "x"})
    for name in _LATE:
        assert name not in sys.modules, name
    free = []

    class Watching(type(node.board)):
        def mac(self):
            node.port.text = b""
            gc.collect()
            free.append(gc.mem_free())
            return super().mac()

    node.board = Watching(node.nvs)
    identity = '{"id":1,"cmd":"identity"}\n'
    node.send((identity + '{"id":1,"cmd":"check"}\n\r{"id":2,"cmd":"config_stored"}\n') * 4)
    assert len(free) == 4 and free[1] - free[3] < 256, free
    gc.collect()
    before = gc.mem_free()
    for _ in range(2):
        node.ask(id=1, cmd="check")
        node.send(b"{" + b"x" * 2100 + b"\n")
        node.send(b"x" * 500)
        node.send(b"\r")
    node.port.text = b""
    gc.collect()
    assert before - gc.mem_free() < 256


async def _supervised(node, port):
    await node.supervisor.spawn(serve_console(node, port, node.progress), "console")


def test_ctrl_c_ends_the_firmware():
    node = SerialNode()

    class Interrupted(type(node.port)):
        def readinto(self, buf):
            if not self._rx:
                raise KeyboardInterrupt
            return super().readinto(buf)

        def ioctl(self, op, flags):
            return 1 & flags

    for text in (b"", b'{"id":1,"cmd":"ping"}\n', b'{"id":1,"cm'):
        port = Interrupted()
        port.inject(text)
        try:
            asyncio.run(_supervised(node, port))
        except KeyboardInterrupt:
            assert node.supervisor.died == [] and (b"pong" in port.text) == text.endswith(b"\n")
        else:
            raise AssertionError("Ctrl-C was swallowed")


def test_a_line_that_never_ends_is_given_up():
    from console import session

    session.LINE_S = 0.05
    node = SerialNode()
    node.port.inject(b'{"id":1,"cm')
    node.live(lambda: node.port.text)
    assert "cut short" in node.lines()[0] and node.refused_commands == 1
    assert node.ask(id=1, cmd="ping")["ok"]


def test_random_lines_end_in_refusals_and_never_in_an_exception():
    node = SerialNode()
    random.seed(5)
    for _ in range(60):
        noise = bytearray(b'\x15{"id":7,"cmd":"records","from":1,"to":[3]}')
        for _ in range(random.randrange(1, 6)):
            noise[random.randrange(len(noise))] = random.getrandbits(8)
        for line in node.send(bytes(noise) + b"\n"):
            assert not line.startswith("{") or not json.loads(line)["ok"] or b"7" in noise
    assert node.ask(id=1, cmd="ping")["ok"] and node.refused_commands > 40


def test_a_board_without_an_identity_answers_three_commands_only():
    node = SerialNode(provisioned=False)
    (line,) = node.send("\r")
    assert "not provisioned" in line
    reply = node.ask(id=1, cmd="identity")
    assert reply["result"]["node"] == "" and reply["result"]["mac"] == "24:6f:28:00:00:0a"
    assert node.ask(id=1, cmd="ping")["ok"]
    for cmd in ("check", "status", "config_set", "calibrate", "aim", "records", "reboot"):
        assert "tallypost provision" in node.ask(id=1, cmd=cmd)["error"]


def test_the_reader_is_idle_while_it_waits_and_reports_each_line():
    node = SerialNode()
    node.send("noise")
    assert set(node.progress.reports) == {"idle"}
    node.ask(id=1, cmd="ping")
    assert node.progress.reports.count("made") == 1 and node.progress.reports[-1] == "idle"


def test_a_line_that_finds_no_memory_is_replaced_and_not_continued():
    from console.session import Pieces

    written = []
    pieces = Pieces(lambda data: written.append(bytes(data)))
    assert pieces.write("x" * 50) == 50 and written == [b"x" * 48]
    pieces.write_whole(b"no memory")
    pieces.line({"id": 1})
    assert written[1:] == [b"no memory", b'{"id": 1}\r\n']
