"""Build backend of the package (PEP 517): setuptools, after the data of the package is collected.

The package needs files from outside its folder: board descriptions, images, the decoder. They are
put into a temporary copy of the package, so nothing generated lies in a checkout. A source archive
holds these data, and a wheel that is built from it takes them as they are.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta

HERE = Path(__file__).resolve().parent
_FILES = ("pyproject.toml", "README.md", "wheel_backend.py")
_LEFT_OUT = shutil.ignore_patterns("__pycache__")
Settings = dict[str, Any] | None


@contextmanager
def _complete_package() -> Iterator[None]:
    """A temporary copy of the package with its data is the current folder meanwhile."""
    from tallypost.building import package_data
    from tallypost.faults import ToolError
    from tallypost.resources import CHECKOUT

    back = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="tallypost-wheel-") as temporary:
        stage = Path(temporary)
        shutil.copytree(HERE / "tallypost", stage / "tallypost", ignore=_LEFT_OUT)
        for name in _FILES:
            shutil.copyfile(HERE / name, stage / name)
        if CHECKOUT:
            try:
                package_data.collect(CHECKOUT, stage / "tallypost" / "data")
            except ToolError as error:
                sys.exit(f"error: {error}")
        os.chdir(stage)
        try:
            yield
        finally:
            os.chdir(back)


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    target = os.path.abspath(wheel_directory)
    with _complete_package():
        name: str = build_meta.build_wheel(target, config_settings)
        return name


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    target = os.path.abspath(sdist_directory)
    with _complete_package():
        Path("MANIFEST.in").write_text("graft tallypost\ninclude wheel_backend.py\n")
        name: str = build_meta.build_sdist(target, config_settings)
        return name


# An editable installation points to this folder, in which resources.py finds the checkout.
build_editable = build_meta.build_editable
