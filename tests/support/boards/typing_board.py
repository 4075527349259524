"""A person at the console of a board with a one-file image, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from simulator.world.chip.shims import compile_shims
from simulator.world.kernel import Node
from simulator.world.spec import NodeSpec
from tests.support.boards.seam_board import DeadNetwork, Log, ScriptedSensor, image

CHUNK_BYTES = 64
RUN_MAX_US = 100_000_000


class Typist:
    """Types each text when the prompt waits, or at its time (us). The node ends after the last
    one.
    """

    name = "testboard"

    def __init__(self, texts: Sequence[bytes], at: Sequence[tuple[int, bytes]] = ()) -> None:
        self.node: Node | None = None
        self.got = b""
        self.watched = 0xFF
        self._texts = list(texts)
        self._at = sorted(at)
        self._rest = b""

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        if self._at and self._at[0][0] <= now_us:
            self._rest += self._at.pop(0)[1]
        if not self._rest and at_prompt and not self._at:
            if not self._texts:
                assert self.node
                self.node.halted = True
                return b""
            self._rest = self._texts.pop(0)
        chunk, self._rest = self._rest[:CHUNK_BYTES], self._rest[CHUNK_BYTES:]
        return chunk

    def set_interrupt_char(self, char: int) -> None:
        self.watched = char

    def interrupt_requested(self) -> bool:
        return False

    def horizon_us(self, now_us: int) -> int:
        return min([now_us + 50_000, *(max(t_us, now_us + 1) for t_us, _ in self._at[:1])])

    def write(self, data: bytes) -> None:
        self.got += data


def converse(
    folder: Path,
    main: str,
    texts: Sequence[bytes],
    at: Sequence[tuple[int, bytes]] = (),
    *,
    more: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """Run `main` as /main.py and type. Return the console's output."""
    compile_shims()
    spec = NodeSpec("n1", image(folder / "flash.bin", main, more), 0, 1)
    node = Node(spec, DeadNetwork(), ScriptedSensor(), Log())
    node.console = typist = Typist(texts, at)
    typist.node = node
    node.run(RUN_MAX_US)
    node.stop()
    return typist.got


def output_lines(got: bytes) -> list[str]:
    """The lines, without banners and prompts."""
    lines = [line.removeprefix(">>> ") for line in got.decode().split("\r\n")]
    return [line for line in lines if line and not line.startswith(("MicroPython", "Type "))]
