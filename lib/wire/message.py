"""What the JSON messages of MQTT have in common, and the acknowledgement of the backend."""

import json

VERSION = 1


def envelope(node, log_id, body):
    """Add version, node and log id to any payload but `counts`, a dict, and return it."""
    body["v"] = VERSION
    body["node"] = node
    body["log"] = "%08x" % log_id
    return body


def parse_ack(payload):
    """Return (log id, seq) of the backend's acknowledgement. Raises ValueError."""
    body = json.loads(payload)
    if not isinstance(body, dict) or body.get("v") != VERSION:
        raise ValueError("ack: not version %d" % VERSION)
    log, seq = body.get("log"), body.get("seq")
    if not isinstance(log, str) or not isinstance(seq, int) or isinstance(seq, bool):
        raise ValueError("ack: log must be 8 hex digits, seq a number")
    return int(log, 16), seq
