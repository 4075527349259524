"""`make sbom`: every pinned package and every part of the firmware, once, as CycloneDX."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tallypost.hardware.boards import ROOT

# The part of the CycloneDX 1.5 schema that is used.
COMPONENT: dict[str, Any] = {
    "type": "object",
    "required": ["type", "name", "bom-ref"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["application", "firmware", "library"]},
        "bom-ref": {"type": "string", "minLength": 1},
        "name": {"type": "string", "minLength": 1},
        "version": {"type": "string", "pattern": "^[0-9]"},
        "purl": {"type": "string", "pattern": "^pkg:[a-z]+/"},
        "scope": {"enum": ["required", "excluded"]},
        "licenses": {"type": "array", "items": {"required": ["license"]}},
        "hashes": {
            "type": "array",
            "items": {
                "required": ["alg", "content"],
                "properties": {
                    "alg": {"const": "SHA-256"},
                    "content": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
        "properties": {"type": "array", "items": {"required": ["name", "value"]}},
        "components": {"type": "array", "items": {"$ref": "#/$defs/component"}},
    },
}
SCHEMA: dict[str, Any] = {
    "$defs": {"component": COMPONENT},
    "type": "object",
    "additionalProperties": False,
    "required": ["bomFormat", "specVersion", "serialNumber", "version", "components"],
    "properties": {
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.5"},
        "version": {"type": "integer", "minimum": 1},
        "serialNumber": {"type": "string", "pattern": "^urn:uuid:"},
        "metadata": {"properties": {"component": {"$ref": "#/$defs/component"}}},
        "components": {"type": "array", "items": {"$ref": "#/$defs/component"}},
        "dependencies": {"type": "array", "items": {"required": ["ref"]}},
    },
}


def make() -> str:
    target: Path = ROOT / ".build" / "sbom.json"
    subprocess.run([sys.executable, ROOT / "tools" / "sbom.py"], check=True, timeout=60)
    return target.read_text()


@pytest.fixture(scope="module")
def bom() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(make())
    return found


def test_the_list_has_the_form_of_cyclonedx(bom: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(bom)
    uuid.UUID(bom["serialNumber"].removeprefix("urn:uuid:"))
    parts = bom["components"]
    refs = [part["bom-ref"] for part in parts]
    refs += [inner["bom-ref"] for part in parts for inner in part.get("components", ())]
    assert len(refs) == len(set(refs))
    [dependency] = bom["dependencies"]
    assert set(dependency["dependsOn"]) <= set(refs) and dependency["ref"] == "tallypost"


def test_every_pinned_package_is_listed(bom: dict[str, Any]) -> None:
    listed = {(part["name"], part.get("version")) for part in bom["components"]}
    for path in (ROOT / "requirements").glob("*.lock"):
        lines = re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)
        assert len(lines) > 5 and set(lines) <= listed, path.name


def test_the_parts_of_the_firmware_are_listed(bom: dict[str, Any]) -> None:
    files = set()
    for path in (ROOT / "boards").glob("*/board.toml"):
        files |= set(re.findall(r'^file = "(.*)"', path.read_text(), re.MULTILINE))
    firmware = [part for part in bom["components"] if part["type"] == "firmware"]
    assert {part["bom-ref"] for part in firmware} == files
    for part in firmware:
        inside = {inner["name"] for inner in part["components"]}
        assert {"esp-idf", "mbedtls", "lwip"} <= inside
    assert any(part["name"] == "umqtt.simple" and part["hashes"] for part in bom["components"])


def test_the_same_sources_give_the_same_list(bom: dict[str, Any]) -> None:
    assert json.loads(make()) == bom


def test_a_package_of_the_tests_is_not_required(bom: dict[str, Any]) -> None:
    scopes = {part["name"]: part["scope"] for part in bom["components"]}
    assert scopes["pytest"] == "excluded" and scopes["paho-mqtt"] == "required"
