"""Collects the data of the installable package: copies of files of the checkout, and images.

The build of the wheel calls it (tools/wheel_backend.py). The folders below the target are those
of the checkout, so tallypost/resources.py finds a file under the same name in both.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tallypost.building import board_image, third_party
from tallypost.building.build import build
from tallypost.hardware import boards
from tallypost.resources import VERSION_FILE

FILES = (
    VERSION_FILE,
    "firmware/config/schema.py",
    *(f"boards/*/{name}" for name in boards.FILES),
    "lib/wire/lorawan/decoder.js",
    "lib/wire/lorawan/ttn/*.yaml",
    "lib/wire/lorawan/chirpstack/*.*",
)


def collect(root: Path, target: Path) -> None:
    """Fill the folder `target` from the checkout `root`; raises ToolError.

    umqtt.simple is fetched if the checkout has not been set up yet.
    """
    for pattern in FILES:
        for source in root.glob(pattern):
            copy = target / source.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    third_party.fetch(root / third_party.FOLDER)
    for name in boards.names(root):
        built = build(name, root)
        vfs = (built.folder / "vfs.bin").read_bytes()
        board_image.write(target / board_image.IMAGES / name, vfs, built.manifest)
