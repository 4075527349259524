"""Fetches what runs on the node but pip cannot install: umqtt.simple, from its source archive.

The archive is taken from the package index pip is configured for, and only with the hash below.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

from pypi_simple import PyPISimple

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / ".build" / "third_party"
PROJECT, VERSION = "micropython-umqtt.simple", "1.3.4"
SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
FILES = {"umqtt/simple.py": "umqtt/simple.py"}


class FetchError(Exception):
    """The archive could not be had, or is not the one that was pinned."""


def fetch(target: Path = TARGET) -> None:
    """Put umqtt/simple.py below `target`; does nothing when it is there already."""
    if all((target / name).exists() for name in FILES.values()):
        return
    archive = _download()
    digest = hashlib.sha256(archive).hexdigest()
    if digest != SHA256:
        raise FetchError(f"{PROJECT} {VERSION}: SHA-256 is {digest}, pinned is {SHA256}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for inside, name in FILES.items():
            member = tar.extractfile(f"{PROJECT}-{VERSION}/{inside}")
            if member is None:
                raise FetchError(f"{PROJECT} {VERSION}: {inside} is not in the archive")
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.read())


def _download() -> bytes:
    index = os.environ.get("PIP_INDEX_URL")
    try:
        with PyPISimple(index) if index else PyPISimple() as client:
            page = client.get_project_page(PROJECT)
            wanted = f"{PROJECT}-{VERSION}.tar.gz"
            for package in page.packages:
                if package.filename == wanted:
                    response = client.s.get(package.url, timeout=60)
                    response.raise_for_status()
                    return bytes(response.content)
    except OSError as error:  # requests' errors are OSErrors
        raise FetchError(f"{PROJECT} {VERSION}: cannot be downloaded: {error}") from error
    raise FetchError(f"{PROJECT} {VERSION}: the package index does not offer it")


if __name__ == "__main__":
    fetch()
