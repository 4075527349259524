"""A simulated week, decoded by others: npm `lora-packet` and Debian's `tshark`.

Neither comes with `make setup`: `npm install --prefix .build/npm lora-packet@0.9.3` and `apt-get
install tshark`. Without a decoder its tests are skipped. The network checks the frames anyway.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.support import week
from tests.conformance.support.rig import APP_KEY, JOIN_EUI, ROOT
from tests.conformance.support.week import Frame

DAYS = int(os.environ.get("LORAWAN_DAYS", "7"))
JOIN_REQUEST, JOIN_ACCEPT = 0, 1
LORATAP = 270  # link type of the capture
BEYOND_TSHARK = {0x0A, 0x0D}  # MAC commands that 4.0 does not know


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    found = week.record(DAYS)
    kinds = {frame.kind for frame in found}
    assert kinds == {0, 1, 2, 3, 4, 5}, "a week has every type of frame"
    assert any(frame.options for frame in found) and any(frame.port == 0 for frame in found)
    return found


def node(frames: list[Frame]) -> list[dict[str, Any]]:
    if not shutil.which("node"):
        pytest.skip("no node: the week was not decoded by lora-packet")
    where = [str(ROOT / ".build" / "npm" / "node_modules"), os.environ.get("NODE_PATH", "")]
    env = {**os.environ, "NODE_PATH": ":".join(where)}
    probe = ["node", "-e", "require('lora-packet')"]
    if subprocess.run(probe, env=env, capture_output=True, check=False).returncode:
        pytest.skip("no lora-packet: npm install --prefix .build/npm lora-packet@0.9.3")
    asked = [
        {
            "kind": frame.kind, "raw": frame.raw.hex(), "nwk": frame.nwk.hex(),
            "app": frame.app.hex(), "root": APP_KEY.hex(), "nonce": f"{frame.dev_nonce:04x}",
        }
        for frame in frames
    ]  # fmt: skip
    script = str(Path(__file__).parent / "support" / "lora_packet.js")
    done = subprocess.run(
        ["node", script], input=json.dumps(asked), env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer: list[dict[str, Any]] = json.loads(done.stdout)
    return answer


def test_lora_packet_reads_every_frame_alike(frames: list[Frame]) -> None:
    for frame, seen in zip(frames, node(frames), strict=True):
        assert seen["mic"] is True, frame
        if frame.kind == JOIN_REQUEST:
            assert int(seen["nonce"], 16) == frame.dev_nonce
        elif frame.kind == JOIN_ACCEPT:
            assert (seen["nwk"], seen["app"]) == (frame.nwk.hex(), frame.app.hex())
            assert int(seen["addr"], 16) == frame.addr
        else:
            assert (int(seen["addr"], 16), seen["fcnt"]) == (frame.addr, frame.fcnt)
            assert (seen["port"], seen["text"]) == (frame.port, frame.text.hex()), frame
            assert seen["options"] == frame.options.hex()


def capture(path: Path, frames: list[Frame]) -> None:
    """A capture file, each frame behind a LoRaTap header, version 0."""
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LORATAP)
    for i, frame in enumerate(frames):
        head = struct.pack(
            ">BBHIBBBBBBB", 0, 0, 15, frame.freq_hz, 1, frame.sf, 90, 90, 90, 28, 0x34
        )
        size = len(head) + len(frame.raw)
        data += struct.pack("<IIII", i, 0, size, size) + head + frame.raw
    path.write_bytes(data)


def tshark(path: Path, frames: list[Frame]) -> list[list[str]]:
    if not shutil.which("tshark"):
        pytest.skip("no tshark: the week was not decoded by it")
    capture(path, frames)
    fields = "mhdr.mtype mic.status fhdr.devaddr fhdr.fcnt fport frmpayload_decrypted".split()
    command = ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    # Addresses and EUIs are written as they are on air, least significant byte first.
    root, eui = APP_KEY.hex(), JOIN_EUI.to_bytes(8, "little").hex()
    keys = {("00000000", root, root, eui)}
    for frame in frames:
        if frame.kind > JOIN_ACCEPT:
            addr = frame.addr.to_bytes(4, "little").hex()
            keys.add((addr, frame.nwk.hex(), frame.app.hex(), "0" * 16))
    for key in sorted(keys):
        row = ",".join(f'"{part}"' for part in key)
        command += ["-o", f"uat:encryption_keys_lorawan:{row}"]
    for field in fields:
        command += ["-e", f"lorawan.{field}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("|") for line in done.stdout.splitlines()]


def known_to_tshark(frame: Frame) -> bool:
    """4.0 cannot parse a Join-Accept, stops at DlChannel and DeviceTime, and misreads frames
    without a port.
    """
    if frame.kind == JOIN_REQUEST:
        return True
    return frame.port is not None and not set(frame.options) & BEYOND_TSHARK


def test_tshark_reads_every_frame_alike_that_it_knows(frames: list[Frame], tmp_path: Path) -> None:
    read = 0
    for frame, seen in zip(frames, tshark(tmp_path / "week.pcap", frames), strict=True):
        kind, mic, addr, fcnt, port, text = seen
        assert int(kind, 0) == frame.kind
        if not known_to_tshark(frame):
            continue
        read += 1
        assert mic == "1", (frame, seen)
        if frame.kind != JOIN_REQUEST:
            assert (int(addr, 0), int(fcnt, 0)) == (frame.addr, frame.fcnt)
            assert (int(port, 0) if port else None) == frame.port
            if frame.port:
                assert text.replace(":", "") == frame.text.hex(), (frame, seen)
    assert read > len(frames) // 2


def test_a_wrong_frame_is_noticed_by_both(frames: list[Frame], tmp_path: Path) -> None:
    right = next(frame for frame in frames if frame.kind == 2 and frame.port)
    raw = right.raw[:-1] + bytes([right.raw[-1] ^ 1])
    wrong = Frame(**{**right.__dict__, "raw": raw})
    assert node([wrong])[0]["mic"] is False
    assert tshark(tmp_path / "wrong.pcap", [wrong])[0][1] == "0"
