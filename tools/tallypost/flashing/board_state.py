"""The state of a board before it is changed: whose application it holds, and whether it is whole.

The name of the board is read from the application itself, `a/board.mpy` in its file system. Only
the blocks on the way to this file are read. So it is known on a board that does not start, too.
"""

from __future__ import annotations

from contextlib import suppress

from littlefs import LittleFS, LittleFSError
from littlefs.context import UserContext

from tallypost import console
from tallypost.building.micropython import APP_OFFSET, cache_folder
from tallypost.faults import USAGE, ToolError
from tallypost.flashing.rom import SECTOR, SerialTarget
from tallypost.hardware import boards, esp_image
from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS
from tallypost.hardware.partitions import TABLE_OFFSET, Partition, unpack
from tallypost.i18n import _

_BOARD_FILE = "/a/board.mpy"
_HASH_BYTES = 32


class _Blocks(UserContext):
    """The partition `vfs` of a board for LittleFS. A block is read when it is needed, once.

    failed: why a block could not be read. LittleFS passes no exception on: it gets an empty one.
    """

    def __init__(self, target: SerialTarget, vfs: Partition) -> None:
        super().__init__(0)
        self._target = target
        self._vfs = vfs
        self._known: dict[int, bytes] = {}
        self.failed: ToolError | None = None

    def read(self, _cfg: object, block: int, off: int, size: int) -> bytearray:
        if block not in self._known and not self.failed:
            try:
                self._known[block] = self._target.read(self._vfs.offset + block * SECTOR, SECTOR)
            except ToolError as error:
                self.failed = error
        return bytearray(self._known.get(block, b"\xff" * SECTOR)[off : off + size])


def name_on(target: SerialTarget) -> str:
    """The board whose application is in the flash. "" without a readable one."""
    vfs = next((part for part in _table(target) if part.label == "vfs"), None)
    if vfs is None or vfs.end > target.size:
        return ""
    context = _Blocks(target, vfs)
    fs = LittleFS(context=context, mount=False, block_size=SECTOR, block_count=vfs.size // SECTOR)
    code = b""
    with suppress(LittleFSError, FileNotFoundError):
        fs.mount()
        with fs.open(_BOARD_FILE, "rb") as file:
            code = file.read()
    if context.failed:
        raise context.failed
    found = [name for name in boards.names() if name.encode() in code]
    return max(found, key=len, default="")


def _table(target: SerialTarget) -> list[Partition]:
    """The partitions on the board, none if its table cannot be read."""
    try:
        return unpack(target.read(TABLE_OFFSET, SECTOR))
    except ValueError:
        return []


def choose(target: SerialTarget) -> Board:
    """The board that was not named: its own name, or the only one that fits. Raises ToolError."""
    fitting = [
        board
        for board in map(boards.load, boards.names())
        if board.chip == target.chip and board.flash_size <= target.size
    ]
    own = name_on(target)
    for board in fitting:
        if board.name == own or len(fitting) == 1:
            return board
    if not fitting:
        what = _("{port}: no board has an {chip} with {size} MB of flash")
        raise ToolError(
            what.format(port=target.name, chip=target.chip, size=target.size >> 20),
            _("Name the board with --board."),
        )
    names = ", ".join(f"{board.name} ({_(board.title)})" for board in fitting)
    raise ToolError(
        _("{port}: several boards have an {chip}: {names}").format(
            port=target.name, chip=target.chip, names=names
        ),
        _("Name yours with --board. Its pins differ from those of the others."),
        USAGE,
    )


def check_board(target: SerialTarget, board: Board, advice: str) -> str:
    """Raises ToolError with `advice` if the board holds the application of another one.

    Returns the name on the board, "" without one.

    advice: with {found}, the name on the board.
    """
    found = name_on(target)
    if found and found != board.name:
        what = _("{port}: this board says that it is '{found}', not '{board}'")
        raise ToolError(
            what.format(port=target.name, found=found, board=board.name),
            advice.format(found=found),
        )
    return found


def check_micropython(target: SerialTarget, board: Board) -> None:
    """Raises ToolError unless loader and MicroPython on the board are whole, by their hashes."""
    advice = _("Add --download, or --micropython FILE with the file {file}.").format(
        file=board.micropython.file
    )
    if not _has_application(target):
        what = _("{port}: there is no MicroPython on this board")
        raise ToolError(what.format(port=target.name), advice)
    try:
        _check_loader(target)
        if not _is_known(target, board):
            _check_application(target, board.partition("factory"))
    except ValueError as error:
        what = _("{port}: the MicroPython on this board is incomplete: {reason}")
        raise ToolError(what.format(port=target.name, reason=error), advice) from error


def _has_application(target: SerialTarget) -> bool:
    return target.read(APP_OFFSET, 1)[0] == esp_image.MAGIC


def _check_loader(target: SerialTarget) -> None:
    at = CHIPS[target.chip].loader_offset
    esp_image.parse(target.read(at, TABLE_OFFSET - at))


def _is_known(target: SerialTarget, board: Board) -> bool:
    """Whether it is a file of the cache. The chip computes the digest: this takes a second."""
    files = sorted(cache_folder().glob("*.bin"))
    start = APP_OFFSET - board.loader_offset
    return any(target.holds(APP_OFFSET, file.read_bytes()[start:]) for file in files)


def _check_application(target: SerialTarget, factory: Partition) -> None:
    """Raises ValueError if its hash is wrong. All of it is read, which takes about a minute."""
    size = esp_image.length(lambda at, n: target.read(APP_OFFSET + at, n), factory.size)
    text = _("reading MicroPython to check its hash ({n} KB)")
    console.progress(text.format(n=size >> 10))
    esp_image.parse(target.read(APP_OFFSET, min(size + _HASH_BYTES, factory.size)))


def missing_part(target: SerialTarget, name: str) -> str:
    """Why the board cannot start, "" if nothing is known to be missing. name: that on the board.

    The hash of MicroPython is not checked: `flash` does it.
    """
    if not _table(target):
        return _("there is no partition table")
    try:
        _check_loader(target)
    except ValueError:
        return _("the loader is missing or damaged")
    if not _has_application(target):
        return _("there is no MicroPython")
    return "" if name else _("there is no whole application")
