"""Uplinks and downlinks of network servers on MQTT: The Things Stack v3, ChirpStack v4.

The name of the device at the network server is the name of the node, the same as over MQTT.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from tallypost.backend import messages
from tallypost.backend.messages import InvalidMessage

TOPICS = {"ttn": "v3/+/devices/+/up", "chirpstack": "application/+/device/+/event/up"}
_TTN = re.compile(r"v3/([^/]+)/devices/([^/]+)/up")
_CHIRPSTACK = re.compile(r"application/([^/]+)/device/([0-9a-fA-F]{16})/event/up")
_PAYLOAD_MAX_BYTES = 242


@dataclass(frozen=True)
class Uplink:
    """port, data: of the frame. down: topic for downlinks. eui: of the device."""

    node: str
    port: int
    data: bytes
    down: str
    eui: str  # "" at The Things Stack, where the topic is enough


def parse(topic: str, payload: bytes) -> Uplink | None:
    """An uplink with data, None for one without (only MAC commands). Raises InvalidMessage."""
    body = messages.parse(payload)
    if match := _TTN.fullmatch(topic):
        message = _object(body, "uplink_message")
        port, data = message.get("f_port"), message.get("frm_payload")
        down, eui = f"v3/{match[1]}/devices/{match[2]}/down/replace", ""
        node = match[2]
    elif match := _CHIRPSTACK.fullmatch(topic):
        node = str(_object(body, "deviceInfo").get("deviceName"))
        port, data = body.get("fPort"), body.get("data")
        down, eui = f"application/{match[1]}/device/{match[2]}/command/down", match[2]
    else:
        raise InvalidMessage("a topic of no network server")
    if not messages.NODE.fullmatch(node):
        raise InvalidMessage(f"device '{node:.40}' does not have the name of a node")
    if not port or data is None:
        return None
    return Uplink(node, _port(port), _bytes(data), down, eui)


def is_uplink(topic: str) -> bool:
    """Whether a topic is that of a network server."""
    return bool(_TTN.fullmatch(topic) or _CHIRPSTACK.fullmatch(topic))


def device(topic: str) -> str:
    """The node of a topic. "" if the topic does not name it: ChirpStack names the EUI."""
    match = _TTN.fullmatch(topic)
    return match[2] if match and messages.NODE.fullmatch(match[2]) else ""


def downlink(uplink: Uplink, port: int, data: bytes) -> tuple[str, bytes]:
    """Topic and payload that queue a downlink for the node an uplink came from."""
    text = base64.b64encode(data).decode()
    body: dict[str, Any]
    if uplink.eui:
        body = {"devEui": uplink.eui, "confirmed": False, "fPort": port, "data": text}
    else:
        body = {"downlinks": [{"f_port": port, "frm_payload": text, "priority": "NORMAL"}]}
    return uplink.down, json.dumps(body).encode()


def _object(body: Any, name: str) -> dict[str, Any]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, dict):
        raise InvalidMessage(f"no object {name}")
    return found


def _port(port: Any) -> int:
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 223:
        raise InvalidMessage(f"port {port!r:.20}")
    return port


def _bytes(data: Any) -> bytes:
    try:
        found = base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InvalidMessage(f"payload: {error}") from error
    if len(found) > _PAYLOAD_MAX_BYTES:
        raise InvalidMessage(f"payload of {len(found)} bytes, at most {_PAYLOAD_MAX_BYTES}")
    return found
