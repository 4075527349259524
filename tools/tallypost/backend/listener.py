"""The connection of a collector to an MQTT broker.

The message of the broker is acknowledged (PUBACK) after the commit, and the session is durable.
"""

from __future__ import annotations

import sqlite3
import ssl
import time
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tallypost import console
from tallypost.backend.collector import Publication
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

_KEEPALIVE_S = 60
_LOOP_STEP_S = 0.5
_CONNECT_TIMEOUT_S = 10
_RECONNECT_WAIT_MAX_S = 30.0


class Consumer(Protocol):
    """Gets every message and answers it. Raises sqlite3.Error if it cannot store it."""

    def on_message(self, topic: str, payload: bytes, utc: float) -> list[Publication]: ...


class Listener:
    """Connects a collector to a broker. Everything happens in the thread that calls `loop()`."""

    def __init__(self, collector: Consumer, topics: list[str], client_id: str) -> None:
        self._collector = collector
        self._topics = topics
        self._refused = ""
        self._subscribed = False
        self._failed: Exception | None = None
        self._waiting_acks: dict[str, Publication] = {}  # by topic, the next one of a node
        self._sent_acks: dict[int, str] = {}  # by packet id, topics without a PUBACK yet
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=not client_id, manual_ack=True
        )
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._confirmed
        self.client.on_message = self._message
        self.client.on_publish = self._published

    def connect(self, host: str, port: int) -> None:
        """Connect, and wait until the broker has accepted the subscription. Raises ToolError."""
        broker = f"{host}:{port}"
        try:
            self.client.connect(host, port, _KEEPALIVE_S)
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason
            raise ToolError(
                _("{broker}: TLS failed: {reason}").format(broker=broker, reason=reason),
                _("Check --ca, --host and --port."),
            ) from error
        except (OSError, ValueError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else error
            raise ToolError(
                f"{broker}: {reason}",
                _("Check --host and --port. To start a broker here, run: {command}").format(
                    command=f"mosquitto -p {port}"
                ),
            ) from error
        until = time.monotonic() + _CONNECT_TIMEOUT_S
        while not self._subscribed:
            if time.monotonic() > until:
                what = _("{broker}: no answer to CONNECT or SUBSCRIBE within {n} s")
                raise ToolError(
                    what.format(broker=broker, n=_CONNECT_TIMEOUT_S), _("Check --host and --port.")
                )
            code = self.client.loop(_LOOP_STEP_S)
            if self._refused:
                raise ToolError(
                    _("{broker}: the broker refuses the connection: {reason}").format(
                        broker=broker, reason=self._refused
                    ),
                    _("Check --user and --password-file."),
                )
            if code != mqtt.MQTT_ERR_SUCCESS and not self.client.is_connected():
                raise ToolError(
                    _("{broker}: the connection was lost: {reason}").format(
                        broker=broker, reason=mqtt.error_string(code)
                    ),
                    _("Check that the port is that of an MQTT broker."),
                )

    def loop(self, seconds: float) -> None:
        """Listen for this time. A lost connection is made again. Raises ToolError."""
        until = time.monotonic() + seconds
        wait_s = 1.0
        while (left := until - time.monotonic()) > 0:
            code = self.client.loop(min(_LOOP_STEP_S, left))
            self._acknowledge()
            if self._failed:
                raise ToolError(
                    _("the database failed: {reason}").format(reason=self._failed),
                    _("The message is not confirmed. Free the disk, then run the command again."),
                )
            if code == mqtt.MQTT_ERR_SUCCESS:
                wait_s = 1.0
                continue
            console.note(
                _("connection lost ({reason}), trying again in {n:.0f} s").format(
                    reason=mqtt.error_string(code), n=wait_s
                )
            )
            time.sleep(min(wait_s, left))
            wait_s = min(2 * wait_s, _RECONNECT_WAIT_MAX_S)
            try:
                self.client.reconnect()
            except OSError as error:
                console.note(os_reason(error))

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        client.subscribe([(topic, 1) for topic in self._topics])

    def _confirmed(self, *_args: Any) -> None:
        self._subscribed = True

    def _message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if self._failed:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:  # the collector knows no node of this name
            topic = ""
        try:
            answers = self._collector.on_message(topic, bytes(message.payload), time.time())
        except sqlite3.Error as error:
            self._failed = (
                error  # neither committed nor acknowledged, so the broker sends it again
            )
            return
        client.ack(message.mid, message.qos)
        for answer in answers:
            if answer[0].endswith("/ack"):
                self._waiting_acks[answer[0]] = answer
            else:
                client.publish(*answer)

    def _acknowledge(self) -> None:
        """Send the newest acknowledgement of each node, one at a time for a node.

        They are cumulative. Behind a backlog, one for each record would queue up, because the
        broker accepts an acknowledgement only after the messages that it is sending. The nodes
        would wait for minutes and send everything again.
        """
        in_flight = set(self._sent_acks.values())
        for topic in [topic for topic in self._waiting_acks if topic not in in_flight]:
            packet_id = self.client.publish(*self._waiting_acks.pop(topic)).mid
            self._sent_acks[packet_id] = topic

    def _published(self, _client: mqtt.Client, _data: Any, mid: int, *_args: Any) -> None:
        self._sent_acks.pop(mid, None)


def use_tls(client: mqtt.Client, ca: Path) -> None:
    """Use TLS, and trust only brokers with a certificate of this authority. Raises ToolError."""
    try:
        client.tls_set(ca_certs=str(ca))
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise ToolError(
            f"{ca}: {reason}", _("Name a file with the certificate of the authority, PEM.")
        ) from error
