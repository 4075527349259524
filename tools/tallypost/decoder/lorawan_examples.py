"""The examples that the public device repositories require, made from the test vectors.

    python -m tallypost.decoder.lorawan_examples

writes lib/wire/lorawan/ttn/tallypost-codec.yaml and the test files of chirpstack/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tallypost.resources import ROOT

FOLDER = ROOT / "lib" / "wire" / "lorawan"
_DOWNLINK_PORT_MIN = 10
Body = dict[str, Any]


def _bytes(vector: Body) -> list[int]:
    return list(bytes.fromhex(vector["hex"]))


def _split() -> tuple[list[Body], list[Body]]:
    vectors = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
    up = [vector for vector in vectors if vector["fPort"] < _DOWNLINK_PORT_MIN]
    return up, [vector for vector in vectors if vector["fPort"] >= _DOWNLINK_PORT_MIN]


def _warnings(data: Body) -> list[str]:
    return [
        f"record {rec['seq']}: {name} is at its limit: so much or more"
        for rec in data.get("recs", [])
        for name in rec["limit"]
    ]


def ttn() -> str:
    """The codec file of lorawan-devices: YAML with examples in JSON, which is valid YAML."""
    up, down = _split()
    parts = {
        "uplinkDecoder": [
            (v, {"fPort": v["fPort"], "bytes": _bytes(v)},
             {"data": v["data"], "warnings": _warnings(v["data"]), "errors": []})
            for v in up
        ],
        "downlinkEncoder": [
            (v, {"data": v["data"]},
             {"fPort": v["fPort"], "bytes": _bytes(v), "warnings": [], "errors": []})
            for v in down
        ],
        "downlinkDecoder": [
            (v, {"fPort": v["fPort"], "bytes": _bytes(v)},
             {"data": v["data"], "warnings": [], "errors": []})
            for v in down
        ],
    }  # fmt: skip
    lines = ["# Written by tools/tallypost/decoder/lorawan_examples.py."]
    for part, examples in parts.items():
        lines += [f"{part}:", "  fileName: tallypost.js", "  examples:"]
        for vector, given, wanted in examples:
            lines += [f"    - description: {json.dumps(vector['name'])}"]
            lines += [f"      input: {json.dumps(given)}", f"      output: {json.dumps(wanted)}"]
    return "\n".join(lines) + "\n"


def chirpstack() -> dict[str, str]:
    """The codec tests of chirpstack-device-profiles, by file name."""
    up, down = _split()
    decode = [
        {
            "name": v["name"],
            "input": {"fPort": v["fPort"], "bytes": _bytes(v)},
            "expected": {"data": v["data"], "warnings": _warnings(v["data"]), "errors": []},
        }
        for v in up
    ]
    encode = [
        {
            "name": v["name"],
            "input": {"data": v["data"]},
            "expected": {
                "bytes": _bytes(v), "fPort": v["fPort"], "warnings": [], "errors": []
            },
        }
        for v in down
    ]  # fmt: skip
    tests = {"test_decode_tallypost.json": decode, "test_encode_tallypost.json": encode}
    return {
        name: "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
        for name, cases in tests.items()
    }


def files() -> dict[Path, str]:
    """The files of the repository with their texts, by path."""
    found = {FOLDER / "ttn" / "tallypost-codec.yaml": ttn()}
    return found | {FOLDER / "chirpstack" / name: text for name, text in chirpstack().items()}


def main() -> None:
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
