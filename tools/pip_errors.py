"""One line with the reason for a failure of pip and the next command, from the output of pip."""

from __future__ import annotations

import platform
import re
from pathlib import Path

_AGAIN = "then run the same command again"
_REASONS = (
    (
        r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|SSLError",
        "the certificate of the package index is not trusted",
        f"Set PIP_CERT to the file of your authority, {_AGAIN}",
    ),
    (
        r"NewConnectionError|NameResolutionError|ProxyError|Connect ?Timeout|Read ?Timeout"
        r"|Max retries exceeded|Failed to establish a new connection|Connection (refused|aborted)"
        r"|Temporary failure in name resolution|Network is unreachable",
        "there is no network: the package index does not answer",
        f"Connect this machine, or set PIP_INDEX_URL or https_proxy, {_AGAIN}",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "the package index sent another file than the one that is locked",
        f"Check PIP_INDEX_URL, {_AGAIN}",
    ),
    (
        r"No space left on device",
        "the disk is full",
        f"Free 500 MB, {_AGAIN}",
    ),
    (
        r"requirement (\S+) \(from versions: none\)",
        "the package index does not answer, or it does not know {found}",
        f"Check the network and PIP_INDEX_URL, {_AGAIN}",
    ),
    (
        r"No matching distribution found for (\S+)",
        "the package index has no {found} for Python {python} on {machine}",
        "Use another Python, for instance that of Debian: make setup PYTHON=/usr/bin/python3",
    ),
)


class SetupError(Exception):
    """A step failed. failure: with its reason. advice: the next command."""

    def __init__(self, failure: str, advice: str) -> None:
        super().__init__(f"{failure}. {advice}.")


def explain(lines: list[str], log: Path) -> SetupError:
    """The error for the output of a failed pip, which is kept in the file `log`."""
    text = "\n".join(lines)
    for pattern, what, advice in _REASONS:
        if found := re.search(pattern, text):
            return SetupError(
                what.format(
                    found=found[1] if found.re.groups and found[1] else "",
                    python=platform.python_version(),
                    machine=platform.machine(),
                ),
                advice,
            )
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), "no reason given")
    return SetupError(f"pip failed: {last}", f"See {log}, {_AGAIN}")
