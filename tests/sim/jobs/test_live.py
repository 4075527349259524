"""Real time with a broker of our own: other clients can watch."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.runs.running import LIMIT_S, ROOT, free_port, wait_for

TIMEOUT_S = 60


def test_a_client_from_outside_sees_both_nodes() -> None:
    port = free_port()
    command = [sys.executable, "-m", "simulator.run", "--live", "--hours", "0.01"]
    run = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(port)
        states = _watch(port)
        out, err = run.communicate(timeout=LIMIT_S)
    finally:
        run.kill()
    assert states == {"radar-1": "online", "beam-2": "online"}
    assert f"mosquitto_sub -h 127.0.0.1 -p {port}" in err
    assert "beam-2" in out


def _watch(port: int) -> dict[str, str]:
    """States of the nodes as a subscriber sees them."""
    states: dict[str, str] = {}

    def message(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        states[body["node"]] = body["state"]

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "a visitor")
    client.on_message = message
    client.connect("127.0.0.1", port)
    client.subscribe("tallypost/+/+/+/status", 1)
    until = time.monotonic() + TIMEOUT_S
    while len(states) < 2 and time.monotonic() < until:
        client.loop(0.5)
    client.disconnect()
    return states


def test_a_busy_port_is_one_clear_line() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        ran = subprocess.run(
            [sys.executable, "-m", "simulator.run", "--live", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert f"port {port}" in ran.stderr and "PORT=" in ran.stderr
