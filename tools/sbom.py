"""`make sbom`: the parts of Tallypost as CycloneDX 1.5 (JSON), in .build/sbom.json.

Host parts are the pinned packages of requirements/, with the roles that install them. Parts of the
firmware are the MicroPython file of each board, and the packages that go into the image. The
libraries inside MicroPython have no version here: the file of its makers does not name them, their
release notes do. The same sources give the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

from tallypost.building.third_party import UMQTT
from tallypost.resources import version

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".build" / "sbom.json"
ROLES = ("technician", "backend", "build", "sim", "dev")
INSIDE_MICROPYTHON = (
    ("esp-idf", "Apache-2.0"), ("mbedtls", "Apache-2.0"), ("lwip", "BSD-3-Clause"),
    ("freertos-kernel", "MIT"),
)  # fmt: skip
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
Component = dict[str, Any]


def pinned(role: str) -> dict[str, str]:
    """Version by name of the packages of a role."""
    text = (ROOT / "requirements" / f"{role}.lock").read_text(encoding="utf-8")
    return dict(_PINNED.findall(text))


def host() -> list[Component]:
    """The packages of all roles. `scope` is required if a technician or a backend needs it."""
    roles: dict[tuple[str, str], list[str]] = {}
    for role in ROLES:
        for package in pinned(role).items():
            roles.setdefault(package, []).append(role)
    found = []
    for (name, number), used in sorted(roles.items()):
        purl = f"pkg:pypi/{name}@{number}"
        is_needed = {"technician", "backend"} & set(used)
        found.append(
            {
                "type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl,
                "scope": "required" if is_needed else "excluded",
                "properties": [{"name": "tallypost:roles", "value": " ".join(used)}],
            }
        )  # fmt: skip
    return found


def firmware() -> list[Component]:
    """MicroPython for each board with the libraries in it, and umqtt.simple."""
    found: dict[str, Component] = {}
    for path in sorted((ROOT / "boards").glob("*/board.toml")):
        part = tomllib.loads(path.read_text(encoding="utf-8"))["micropython"]
        found[part["file"]] = _micropython(part)
    number = re.search(r"-([0-9.]+)\.tar", UMQTT.name)
    umqtt = {
        "type": "library", "bom-ref": "umqtt.simple", "name": "umqtt.simple", "scope": "required",
        "version": number[1] if number else "", "licenses": [{"license": {"id": "MIT"}}],
        "purl": f"pkg:pypi/{UMQTT.project}@{number[1] if number else ''}",
        "hashes": [{"alg": "SHA-256", "content": UMQTT.sha256}],
    }  # fmt: skip
    return [*found.values(), umqtt]


def _micropython(part: dict[str, Any]) -> Component:
    file = part["file"]
    inside = [
        {
            "type": "library", "bom-ref": f"{file}/{name}", "name": name,
            "licenses": [{"license": {"id": licence}}],
        }
        for name, licence in INSIDE_MICROPYTHON
    ]  # fmt: skip
    found = {
        "type": "firmware", "bom-ref": file, "name": "micropython", "version": part["version"],
        "scope": "required", "licenses": [{"license": {"id": "MIT"}}],
        "purl": f"pkg:github/micropython/micropython@v{part['version']}", "components": inside,
    }  # fmt: skip
    if part.get("sha256"):
        found["hashes"] = [{"alg": "SHA-256", "content": part["sha256"]}]
    return found


def bom() -> dict[str, Any]:
    """The whole list."""
    parts = [*firmware(), *host()]
    subject = {
        "type": "application", "bom-ref": "tallypost", "name": "tallypost", "version": version(),
        "licenses": [{"license": {"id": "MIT"}}],
    }  # fmt: skip
    text = json.dumps([subject, parts], sort_keys=True)
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, text)}",
        "metadata": {"component": subject},
        "components": parts,
        "dependencies": [
            {"ref": "tallypost", "dependsOn": [part["bom-ref"] for part in parts]}
        ],
    }  # fmt: skip


def main() -> int:
    found = bom()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"in .build/sbom.json: {len(found['components'])} parts\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
