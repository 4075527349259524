"""Types of command-line options. A refusal names the value and the range."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from simulator.run.plans.plan import BrokerAddress


def within(minimum: int, maximum: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        value = int(text)
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"{text} is not within {minimum} .. {maximum}")
        return value

    whole.__name__ = "whole number"
    return whole


def broker_address(text: str) -> BrokerAddress:
    """A broker."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5 or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"'{text}' is not host:port, such as 127.0.0.1:1883")
    return BrokerAddress(host, int(port))


def output(text: str) -> Path:
    """A file that can be written."""
    path = Path(text)
    try:
        if not path.absolute().parent.is_dir() or path.is_dir():
            raise argparse.ArgumentTypeError(
                f"cannot write '{text}': its folder does not exist, or it is a folder"
            )
        is_new = not path.exists()
        if is_new or path.is_file():  # opening a pipe would wait for its reader
            path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write '{text}': {error.strerror}") from error
    return path
