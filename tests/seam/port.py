"""A board at a port, by `mpremote`, unmodified and as a process of its own.

Lines are handed on as they come, so that a board that hangs leaves its earlier lines behind. Only
silence ends a process. The checks themselves limit their time.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SILENCE_S = 45.0
TRIES = 4
PAUSE_S = 1.5
BIN = Path(sys.executable).parent


class BoardError(Exception):
    """The board does not answer, or has stopped. The message tells how."""


class Port:
    """url: a port of pyserial: a device, rfc2217://host:port, socket://host:port."""

    def __init__(self, url: str, silence_s: float = SILENCE_S) -> None:
        self.url = url
        self.silence_s = silence_s

    def run(self, scripts: Sequence[str], *, resume: bool = False) -> Iterator[str]:
        """Run scripts one after the other, each in a fresh interpreter unless `resume`.

        Yields the lines that the board writes. Raises BoardError.
        """
        with tempfile.TemporaryDirectory() as folder:
            words = ["resume"] if resume else []
            for i, script in enumerate(scripts):
                path = Path(folder) / f"{i}.py"
                path.write_text(script)
                words += ["+", "soft-reset"] if i and not resume else []
                words += ["+", "run", str(path)]
            yield from self._lines(words)

    def start(self, script: str) -> Iterator[str]:
        """Run a script and do not wait for its end."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "start.py"
            path.write_text(script)
            yield from self._lines(["run", "--no-follow", str(path)])

    def settled(self, script: str, pause_s: float = PAUSE_S) -> list[str]:
        """Run a script after a reset. The board may need some tries to be there again.

        pause_s: before each try. Raises BoardError.
        """
        for left in reversed(range(TRIES)):
            time.sleep(pause_s)
            lines: list[str] = []
            try:
                lines.extend(self.run([script], resume=True))
            except BoardError:
                if not left:
                    raise
                continue
            if any(line.startswith("@") for line in lines) or not left:
                return lines
        raise AssertionError("unreachable")

    def _lines(self, words: Sequence[str]) -> Iterator[str]:
        command = [str(BIN / "mpremote"), "connect", self.url, *words]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said = ""
        try:
            for line in self._read(process):
                said = line or said
                yield line
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode:
            raise BoardError(said or f"mpremote ended with {process.returncode}")

    def _read(self, process: subprocess.Popen[bytes]) -> Iterator[str]:
        """Lines of its output, without the carriage returns of a console."""
        assert process.stdout
        rest = b""
        with process.stdout as out:
            while True:
                if not select.select([out], [], [], self.silence_s)[0]:
                    raise BoardError(f"silent for {self.silence_s:.0f} s")
                piece = os.read(out.fileno(), 4096)
                if not piece:
                    break
                *lines, rest = (rest + piece).split(b"\n")
                yield from (_text(line) for line in lines)
        if rest:
            yield _text(rest)
        process.wait()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").strip("\r\x04 ")
