"""A virtual board: a technician's board on the bench, as a context manager.

    with VirtualBoard("esp32_generic", Path("flash.bin")) as board:
        subprocess.run(["mpremote", "connect", board.url, "fs", "ls"])

Behind `board.url` (RFC 2217) is either the serial bootloader or the running image. The lines DTR
and RTS choose one of them at each reset (lines.py). The chip has a thread of its own, and so has
the cable (port.py). Everything that the chip does between two resets is a `ChipSession`. It gets
the bytes of the port and ends when the board stops it.
"""

from __future__ import annotations

import random
import threading
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from simulator.board import life, rom
from simulator.board.cable import Cable, CableFaults
from simulator.board.chip import LoaderFlash, mac_of
from simulator.board.life import Environment
from simulator.board.lines import AutoReset
from simulator.board.loader import LoaderTransport, serve
from simulator.board.port import SerialServer
from simulator.board.radar_port import FedConsole
from simulator.board.stock import check_size, own_flash
from simulator.board.terminal import Terminal
from simulator.board.uart import Uart
from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from tallypost.hardware import boards

_SYNC = b"\x07\x07\x12\x20" + b"U" * 8  # the middle of esptool's first packet
_REPEAT_S = 0.2  # between two messages of a chip that cannot start


class ChipSession(Protocol):
    def receive(self, data: bytes) -> None: ...

    def run(self) -> None:
        """Run until `end()`."""

    def end(self, unplugged: bool) -> None:
        """Reset, or power gone. From another thread."""


class VirtualBoard:
    """board: a folder of boards/. flash: a file of the size of its flash chip.

    chip: another one than the board should have (a fault). speed: of the node's time, None for
    free. environment: street and broker. number: the TCP port, 0 for any free one. terminal: also
    a device path, True for any, or the name of a link to it. Raises ToolError for an unknown
    board, a file of another size or one that another virtual board uses, OSError when the port is
    busy.
    """

    def __init__(
        self,
        board: str,
        flash: Path,
        *,
        chip: str | None = None,
        speed: float | None = 1.0,
        environment: Environment | None = None,
        faults: CableFaults | None = None,
        number: int = 0,
        terminal: Path | bool = False,
    ) -> None:
        self.board = boards.load(board)
        self.flash = flash
        self.chip = chip or self.board.chip
        self.mac = mac_of(board, flash)
        self.error: BaseException | None = None  # of the chip's thread: an error of the simulator
        self.resets = 0
        self._speed = speed
        self.environment = environment or Environment()
        self._cable = Cable(faults or CableFaults(), self.unplug)
        self._port = SerialServer(self, number)
        link = terminal if isinstance(terminal, Path) else None
        self._terminal = Terminal(self, link) if terminal else None
        self._reset = AutoReset()
        self._state = threading.Condition()
        self._plugged = self._closed = False
        self._session: ChipSession | None = None
        self._unread = b""
        self._held = ExitStack()  # the lock of the flash file
        self._thread = threading.Thread(
            target=self._run_chip, name=f"chip of {board}", daemon=True
        )

    @property
    def url(self) -> str:
        return self._port.url

    @property
    def path(self) -> Path:
        """The device, if a terminal was asked for."""
        assert self._terminal, "a board without terminal="
        return self._terminal.path

    def __enter__(self) -> VirtualBoard:
        check_size(self.board, self.flash)
        with ExitStack() as held:
            held.enter_context(own_flash(self.flash))
            compile_shims()
            self.plug()
            self._held = held.pop_all()
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        self._closed = True
        self.unplug()
        self._thread.join()
        self._held.close()
        if self.error and error is None:
            raise self.error

    def plug(self) -> None:
        """Connect the cable: the port appears, and the power comes on."""
        with self._state:
            self._port.open()
            if self._terminal:
                self._terminal.open()
            self._reset = AutoReset()
            self._unread = b""
            self._plugged = True
            self._state.notify_all()

    def unplug(self) -> None:
        """Pull the cable: the port vanishes, and the power goes off in the middle of any
        operation."""
        with self._state:
            self._plugged = False
            self._end_session(unplugged=True)
            self._state.notify_all()
        self._port.close()
        if self._terminal:
            self._terminal.close()

    # --- called by the port

    def receive(self, data: bytes) -> None:
        data = self._cable.to_board(data)
        with self._state:
            session = self._session
            if session is None:  # between two sessions
                self._unread += data
        if session and data:
            session.receive(data)

    def set_lines(self, dtr: bool, rts: bool) -> None:
        with self._state:
            self._reset.set(dtr, rts)
            if not self._reset.en:
                self._end_session(unplugged=False)
            self._state.notify_all()

    # --- called by the terminal

    def receive_from_terminal(self, data: bytes) -> None:
        if _SYNC in data and not isinstance(self._session, LoaderSession):
            self._restart(loads=True)
        else:
            self.receive(data)

    def on_hangup(self) -> None:
        if isinstance(self._session, LoaderSession):
            self._restart(loads=False)

    def _restart(self, loads: bool) -> None:
        with self._state:
            self._reset.strap = not loads
            self._end_session(unplugged=False)
            self._state.notify_all()

    # --- the chip

    def send(self, data: bytes, wait: bool = False) -> None:
        """Bytes of the chip, towards the port."""
        data = self._cable.to_host(data)
        self._port.send(data, wait)
        if self._terminal:
            self._terminal.send(data, wait)

    def _end_session(self, unplugged: bool) -> None:
        if self._session:
            self._session.end(unplugged)
            self._session = None

    def _run_chip(self) -> None:
        try:
            while session := self._next_session():
                session.run()
        except Exception as error:  # shown to the user of the board
            self.error = error
            traceback.print_exc()
            self.unplug()

    def _next_session(self) -> ChipSession | None:
        """Wait until the chip may run. Return its next session, or None if the board is put
        away."""
        with self._state:
            while not (self._plugged and self._reset.settle() == 0 and self._reset.en):
                if self._closed:
                    return None
                self._state.wait(self._reset.settle() or None)
            self.resets += 1
            self._session = self._new_session(not self._reset.strap)
            self._session.receive(self._unread)
            self._unread = b""
            return self._session

    def _new_session(self, loads: bool) -> ChipSession:
        if loads:
            return LoaderSession(self)
        boot_error = rom.boot_error(self.board, self.flash)
        return FailedBootSession(self, boot_error) if boot_error else ImageSession(self)

    def open_flash(self) -> LoaderFlash:
        rng = random.Random(f"{self._cable.faults.seed}/flash")
        return LoaderFlash(self.flash, rng, self._cable.faults.read_only)

    def make_node(self, uart: Uart) -> Node:
        node = life.build_node(self.board, self.flash, self.environment)
        port = self.environment.radar
        node.console = FedConsole(uart, port, node) if port else uart
        return node

    def make_uart(self) -> Uart:
        return Uart(self.board.name, self.send, self._speed)


class LoaderSession:
    """The serial bootloader."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._stop = threading.Event()
        self._transport = LoaderTransport(
            lambda data: board.send(data, wait=True), board.chip, board.mac,
            board.board.flash_size, self._stop,
        )  # fmt: skip
        self._unplugged = False

    def receive(self, data: bytes) -> None:
        self._transport.receive(data)

    def run(self) -> None:
        self._board.send(rom.LOADER)
        flash = self._board.open_flash()
        serve(self._transport, flash, self._board.chip, self._stop)
        if self._unplugged:
            flash.cut()
        flash.close()

    def end(self, unplugged: bool) -> None:
        self._unplugged = unplugged
        self._stop.set()


class FailedBootSession:
    """A chip without a bootable image in its flash."""

    def __init__(self, board: VirtualBoard, text: bytes) -> None:
        self._board = board
        self._text = text
        self._stop = threading.Event()

    def receive(self, data: bytes) -> None:
        """No program reads these bytes."""

    def run(self) -> None:
        self._board.send(rom.FLASH)
        while not self._stop.is_set():
            self._board.send(self._text)
            self._stop.wait(_REPEAT_S)

    def end(self, unplugged: bool) -> None:
        self._stop.set()


class ImageSession:
    """The image, on the interpreter of the simulator. Bytes typed while it starts are kept."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._uart = board.make_uart()
        self._node: Node | None = None
        self._ended = False

    def receive(self, data: bytes) -> None:
        self._uart.receive(data)

    def run(self) -> None:
        self._board.send(rom.FLASH)
        if self._ended:  # reset while it printed: the flash must not be touched any more
            return
        self._node = node = self._board.make_node(self._uart)
        while not (node.halted or self._ended):
            node.run(node.now_us + life.HOUR_US)
        node.stop()

    def end(self, unplugged: bool) -> None:
        self._ended = True
        if self._node:
            self._node.halt()
        self._uart.end()
