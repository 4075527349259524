"""Whether the broker lets `listen` read and write, tried with two messages to a node `_probe`.

mosquitto accepts a subscription that its access list denies, and then sends nothing. So a message
to `ROOT/_probe/status`, which the listener has subscribed to, must come back. mosquitto also
acknowledges a message that it denies. With MQTT 5 the acknowledgement has the reason.

A broker that lets nobody write to `_probe` cannot be tried, and neither can one without MQTT 5.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from paho.mqtt.enums import MQTTProtocolVersion

from tallypost.backend.listener import Listener
from tallypost.i18n import _
from tallypost.inventory.broker_files import PROBE

_TIMEOUT_S = 3.0
_STEP_S = 0.05


def probe_rights(listener: Listener, root: str) -> list[str]:
    """The rights that are missing, a sentence for each. listener: connected. Raises ToolError."""
    if listener.protocol != MQTTProtocolVersion.MQTTv5:
        return []
    return _Probe(listener, root).run()


class _Probe:
    def __init__(self, listener: Listener, root: str) -> None:
        self._listener = listener
        self._base = f"{root}/{PROBE}"
        self._has_returned = False
        listener.on_foreign = self._is_mine

    def run(self) -> list[str]:
        missing = []
        for suffix in ("ack", "cmd"):
            if self._is_taken(suffix) is False:
                text = _("The broker denies {topic}: nodes would never be confirmed.")
                missing.append(text.format(topic=self._topic(suffix)))
        if self._is_taken("status") and not self._wait(lambda: self._has_returned):
            text = _("The broker sends nothing of {topic}: records would never arrive.")
            missing.append(text.format(topic=self._topic("status")))
        return missing

    def _topic(self, suffix: str) -> str:
        return self._base.replace(PROBE, "+") + f"/{suffix}"

    def _is_mine(self, topic: str) -> bool:
        self._has_returned |= topic == f"{self._base}/status"
        return topic.startswith(self._base + "/")

    def _is_taken(self, suffix: str) -> bool | None:
        """Whether the broker takes a message. None if it does not say so in time."""
        number = self._listener.send(f"{self._base}/{suffix}")
        self._wait(lambda: number in self._listener.results)
        return self._listener.results.get(number)

    def _wait(self, is_so: Callable[[], bool]) -> bool:
        until = time.monotonic() + _TIMEOUT_S
        while not is_so() and time.monotonic() < until:
            self._listener.loop(_STEP_S)
        return bool(is_so())
