"""Keys of the fleet: made, changed, never shown; signatures that a node verifies."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tallypost import cli
from tallypost.faults import ToolError
from tallypost.hardware.boards import ROOT
from tallypost.security import fleet_keys
from tallypost.security.fleet_keys import FleetKeys, canonical, modulus

Capture = pytest.CaptureFixture[str]
ALTERED = 1000
CONFIG = {"mqtt_host": "b.example", "mqtt_port": 8883}
# On the node: one line of JSON for each question, one word for each answer.
NODE = """
import json, sys
from signature import canonical, verify

moduli = [bytes.fromhex(text) for text in json.loads(sys.stdin.readline())]
for line in sys.stdin:
    node, serial, config, sig, wanted = json.loads(line)
    text = canonical(node, serial, config)
    if text.hex() != wanted:
        print("text", text)
    print(any([verify(n, text, sig) for n in moduli]))
"""


@pytest.fixture
def keys(tmp_path: Path) -> FleetKeys:
    return FleetKeys.open(tmp_path)


def on_node(keys: FleetKeys, rows: list[list[Any]]) -> list[str]:
    """The answers of the module of the node to (node, serial, config, sig)."""
    lines = [json.dumps([one.hex() for one in keys.moduli()])]
    for node, serial, config, sig in rows:
        text = canonical(node, serial, config).hex()
        lines.append(json.dumps([node, serial, config, sig, text]))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "micropython"), "-X", "heapsize=2m", "-c", NODE],
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:.frozen"}, cwd=ROOT, text=True,
        input="\n".join(lines) + "\n", capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_node_accepts_a_signature_and_no_altered_one(keys: FleetKeys) -> None:
    signed = keys.sign("n1", CONFIG)
    good = base64.b64decode(signed["sig"])
    rng = random.Random(17)
    rows: list[list[Any]] = [["n1", signed["serial"], CONFIG, signed["sig"]]]
    for _ in range(ALTERED):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 8))):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        if bytes(bad) == good:
            bad[0] ^= 1
        rows.append(["n1", signed["serial"], CONFIG, base64.b64encode(bad).decode()])
    assert on_node(keys, rows) == ["True"] + ["False"] * ALTERED


def test_blocks_with_padding_of_other_forms_are_refused(keys: FleetKeys) -> None:
    """Signed with the private key, but not padded as PKCS #1 wants it."""
    loaded = serialization.load_pem_private_key((keys.folder / "1.pem").read_bytes(), None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    private = loaded.private_numbers()
    n, d = private.public_numbers.n, private.d
    text = canonical("n1", 7, CONFIG)
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    digest = info + hashlib.sha256(text).digest()
    blocks = [
        b"\0\1" + b"\xff" * (381 - len(digest)) + b"\0" + digest,  # the right one
        b"\0\1" + b"\xff" * 8 + b"\0" + digest + bytes(384 - 11 - len(digest)),  # rubbish behind
        b"\0\2" + b"\xff" * (381 - len(digest)) + b"\0" + digest,
        b"\0\1" + b"\xfe" + b"\xff" * (380 - len(digest)) + b"\0" + digest,
        b"\0\1" + b"\xff" * (382 - len(digest)) + digest,
        b"\0\0" + b"\xff" * (381 - len(digest)) + b"\0" + digest,
    ]
    rows = []
    for block in blocks:
        assert len(block) == 384
        signature = pow(int.from_bytes(block, "big"), d, n).to_bytes(384, "big")
        rows.append(["n1", 7, CONFIG, base64.b64encode(signature).decode()])
    assert on_node(keys, rows) == ["True"] + ["False"] * 5


def test_node_and_tool_sign_the_same_text(keys: FleetKeys) -> None:
    rng = random.Random(5)
    chars = ' "\\/aZ09äß€\x7f\u2028{}:,'
    rows = []
    for number in range(1, 300):
        config = {
            "".join(rng.choices("abc_", k=rng.randint(1, 8))): rng.choice(
                (rng.randint(-(2**31), 2**31), "".join(rng.choices(chars, k=rng.randint(0, 9))))
            )
            for _ in range(rng.randint(0, 6))
        }
        rows.append(["n1", number, config, "x"])
    assert set(on_node(keys, rows)) == {"False"}, "the texts differ"


def test_a_serial_always_grows(keys: FleetKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    first = keys.sign("n1", CONFIG)["serial"]
    monkeypatch.setattr(fleet_keys, "serial_now", lambda: 5)  # the clock was set back
    assert keys.sign("n1", CONFIG)["serial"] == first + 1
    assert 0 < first < 2**31


def test_both_keys_are_valid_during_a_change(keys: FleetKeys) -> None:
    assert keys.rotate() == 2
    moduli = keys.moduli()
    assert moduli == (modulus(keys.public(1)), modulus(keys.public(2)))
    with pytest.raises(ToolError, match="key 1 still signs"):
        keys.rotate()
    before = keys.sign("n1", CONFIG)
    assert keys.switch() == 2 and keys.moduli() == moduli[::-1]
    after = keys.sign("n1", CONFIG)
    rows = [["n1", one["serial"], CONFIG, one["sig"]] for one in (before, after)]
    assert on_node(keys, rows) == ["True", "True"]
    assert keys.rotate() == 3 and keys.numbers() == [2, 3], "the first one is no longer valid"
    assert on_node(keys, rows) == ["False", "True"]


@pytest.mark.parametrize("value", (True, 1.5, None, "a\nb", "😀"))
def test_a_value_that_cannot_be_signed_is_named(keys: FleetKeys, value: object) -> None:
    with pytest.raises(ToolError, match="site: this value cannot be signed"):
        keys.sign("n1", {"site": value})


def test_no_private_key_is_printed_or_readable(tmp_path: Path, capsys: Capture) -> None:
    out = ("--out", str(tmp_path))
    for words in (("new",), ("rotate",), ("switch",), ("list",), ("list", "--json"), ("public",)):
        assert cli.main(["keys", *words, *out]) == 0
    said = capsys.readouterr()
    assert "BEGIN PUBLIC KEY" in said.out and "PRIVATE" not in said.out + said.err
    for number in (1, 2):
        path = tmp_path / "fleet" / f"{number}.pem"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().splitlines()[1] not in said.out


@pytest.mark.parametrize(
    ("words", "text"),
    (
        (("list",), "there is no key. To make one, run: tallypost keys new"),
        (("switch",), "there is no key"),
        (("public",), "there is no key"),
    ),
)
def test_a_folder_without_keys_is_one_line(
    tmp_path: Path, capsys: Capture, words: tuple[str, ...], text: str
) -> None:
    assert cli.main(["keys", *words, "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert text in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ("signer", "1.pem", "serial"))
def test_a_damaged_file_is_named(keys: FleetKeys, name: str) -> None:
    keys.sign("n1", CONFIG)
    (keys.folder / name).write_text("x")
    with pytest.raises(ToolError, match=name):
        keys.sign("n1", CONFIG)


def test_a_second_new_key_is_refused(keys: FleetKeys) -> None:
    with pytest.raises(ToolError, match="there is a key already"):
        keys.make()


def test_node_and_tool_agree_on_the_settings_that_need_a_signature() -> None:
    source = (ROOT / "firmware" / "config" / "schema.py").read_text()
    table = source.partition("_LINK = (")[2].partition(")")[0]
    named = "".join(ast.literal_eval(line.strip()) for line in table.strip().splitlines())
    assert {*named.split(), "console"} == fleet_keys.SIGNED
    short = fleet_keys.keys_to_sign({"interval_min": 1, "site": "x"})
    assert fleet_keys.keys_to_sign({"privacy_k": 1}) == ["privacy_k"]
    assert fleet_keys.keys_to_sign({"privacy_k": 3}) == []
    assert short == ["interval_min"] and fleet_keys.keys_to_sign({"interval_min": 5}) == []
