"""The connection of a collector to an MQTT broker.

Reading only puts messages aside. All that have arrived are then handled together: one commit, then
the acknowledgement of each to the broker (PUBACK), then one to each node. If the store is away or
locked, the listener waits and reads no further. Its memory is bounded by one batch. The session is
durable.

The protocol is MQTT 5, because its acknowledgements say whether an access list denies a message. A
broker that does not know it, or is silent for 3 s, gets MQTT 3.1.1. An access list of mosquitto
never refuses a subscription, so the listener also sends a message to itself (rights.py).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tallypost.backend.inbox import BATCH_MESSAGES, Consumer, Inbox
from tallypost.backend.receiver import Message, Publication
from tallypost.backend.service.watch import Watch
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.security.broker_login import ANYBODY, Login, use_tls

_KEEPALIVE_S = 60
_LOOP_STEP_S = 0.5
_CONNECT_TIMEOUT_S = 10
_CONNACK_TIMEOUT_S = 3  # of MQTT 5: some brokers that do not know it are silent
_RECONNECT_WAIT_MAX_S = 30.0
_SESSION_FOR_EVER = 0xFFFFFFFF  # s; the broker may end it earlier
_PROTOCOLS = (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311)
_STORE_RETRY_S = 1.0
_RECEIVE_MAX = 65_535  # of a broker that names no other
_END_S = 5.0  # for the acknowledgements that wait
_UNKNOWN_PROTOCOL = (1, 132)  # codes of CONNACK, of MQTT 3.1.1 and of MQTT 5


class Listener:
    """Connects a collector to a broker. Everything happens in the thread that calls `loop()`.

    on_foreign(topic): is asked first. True: the message is not for the collector.
    """

    def __init__(
        self, collector: Consumer, topics: list[str], client_id: str, login: Login = ANYBODY
    ) -> None:  # fmt: skip
        self._collector = collector
        self._topics = topics
        self._client_id = client_id
        self._login = login
        self._refused = ""
        self._unreadable = ""  # topics whose subscription the broker refused
        self._is_unknown_protocol = False
        self._subscribed = False
        self._inbox = Inbox(collector)
        self._waiting_acks: dict[str, Publication] = {}  # by topic, the next one of a node
        self._sent_acks: dict[int, str] = {}  # by packet id, topics without a PUBACK yet
        self._denied: set[str] = set()  # topics for which the broker denied an acknowledgement
        self._receive_max = _RECEIVE_MAX  # messages that the broker takes before a PUBACK
        self.watch = Watch()
        self.on_foreign: Callable[[str], bool] = lambda _topic: False
        self.results: dict[int, bool] = {}  # by packet id, of `send`: whether the broker took it
        self.protocol = _PROTOCOLS[0]
        self.client = self._new_client()

    def _new_client(self) -> mqtt.Client:
        """A client that speaks `self.protocol`. Raises ToolError for a bad authority."""
        is_new = self.protocol == MQTTProtocolVersion.MQTTv5
        clean = None if is_new else not self._client_id
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, self._client_id, clean, protocol=self.protocol,
            manual_ack=True,
        )  # fmt: skip
        client.on_connect = self._connected
        client.on_subscribe = self._confirmed
        client.on_message = self._message
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.max_inflight_messages_set(0)  # `_acknowledge` has a limit of its own
        if self._login.user or self._login.password is not None:
            client.username_pw_set(self._login.user or None, self._login.password)
        if self._login.ca:
            use_tls(client, self._login.ca)
        return client

    def connect(self, host: str, port: int) -> None:
        """Connect, and wait until the broker has accepted the subscription. Raises ToolError."""
        for self.protocol in _PROTOCOLS:
            if self.client.protocol != self.protocol:
                self.client.disconnect()
                self.client = self._new_client()
            self._is_unknown_protocol = False
            try:
                self._connect(host, port)
                return
            except ToolError:
                if not self._is_unknown_protocol or self.protocol == _PROTOCOLS[-1]:
                    raise
            self._refused = ""

    def _open(self, host: str, port: int) -> None:
        if self.protocol != MQTTProtocolVersion.MQTTv5:
            self.client.connect(host, port, _KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if self._client_id:
            properties.SessionExpiryInterval = _SESSION_FOR_EVER
        properties.ReceiveMaximum = BATCH_MESSAGES
        clean = not self._client_id
        self.client.connect(host, port, _KEEPALIVE_S, clean_start=clean, properties=properties)

    def _connect(self, host: str, port: int) -> None:
        broker = f"{host}:{port}"
        try:
            self._open(host, port)
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
        self._wait_for_subscription(broker)

    def _wait_for_subscription(self, broker: str) -> None:
        began = time.monotonic()
        while not self._subscribed:
            waited_s = time.monotonic() - began
            is_silent = not self.client.is_connected() and waited_s > _CONNACK_TIMEOUT_S
            self._is_unknown_protocol = is_silent and self.protocol != _PROTOCOLS[-1]
            if self._is_unknown_protocol or waited_s > _CONNECT_TIMEOUT_S:
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
                self._is_unknown_protocol = True  # some brokers close without an answer
                raise ToolError(
                    _("{broker}: the connection was lost: {reason}").format(
                        broker=broker, reason=mqtt.error_string(code)
                    ),
                    _("Check that the port is that of an MQTT broker."),
                )
        if self._unreadable:
            raise ToolError(
                _("{broker}: the broker refuses to send {topics}").format(
                    broker=broker, topics=self._unreadable
                ),
                _("Allow this user to read these topics in the access list of the broker."),
            )

    def loop(self, seconds: float) -> None:
        """Listen for this time, or until `watch` ends it. A lost connection is made again.

        Raises ToolError.
        """
        until = time.monotonic() + seconds
        wait_s = 1.0
        while (left := until - time.monotonic()) > 0 and not self.watch.is_ending:
            self.watch.turn()
            if self._inbox.is_store_away:
                self.client.loop_misc()
                time.sleep(min(_STORE_RETRY_S, left))
                code = mqtt.MQTT_ERR_SUCCESS
            else:
                code = self.client.loop(min(_LOOP_STEP_S, left))
            if not self.handle():
                self._collector.idle(time.time())
            if code == mqtt.MQTT_ERR_SUCCESS:
                wait_s = 1.0
                continue
            self.watch.connected(False, mqtt.error_string(code))
            self.watch.note(
                _("connection lost ({reason}), trying again in {n:.0f} s").format(
                    reason=mqtt.error_string(code), n=wait_s
                )
            )
            time.sleep(min(wait_s, left))
            wait_s = min(2 * wait_s, _RECONNECT_WAIT_MAX_S)
            try:
                self.client.reconnect()
            except OSError as error:
                self.watch.note(os_reason(error))

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            self._is_unknown_protocol = reason.value in _UNKNOWN_PROTOCOL
            return
        self._receive_max = getattr(properties, "ReceiveMaximum", _RECEIVE_MAX)
        self.watch.connected(True)
        client.subscribe([(topic, 1) for topic in self._topics])

    def _confirmed(self, _client: Any, _data: Any, _mid: int, codes: Any, *_args: Any) -> None:
        refused = [topic for topic, code in zip(self._topics, codes) if code.is_failure]
        self._unreadable = ", ".join(refused)
        self._subscribed = True

    def _message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # the collector knows no node of this name
            topic = ""
        if self.on_foreign(topic):
            client.ack(message.mid, message.qos)
            return
        self.watch.received(topic, len(message.payload))
        found = Message(topic, bytes(message.payload), time.time())
        if self._inbox.add(message.mid, message.qos, found):
            self.handle()

    def handle(self) -> bool:
        """Store all that has arrived, acknowledge it, and answer. False if nothing had arrived.

        Raises ToolError if the store fails for good. If it is only away, the messages wait.
        """
        began = time.monotonic()
        stored, answers = self._inbox.store()
        if stored:
            self.watch.handled(len(stored), time.monotonic() - began)
        for packet_id, qos in stored:
            self.client.ack(packet_id, qos)
        for answer in answers:
            if answer[0].endswith("/ack"):
                self._waiting_acks[answer[0]] = answer
            else:
                self.client.publish(*answer)
        self._acknowledge()
        return bool(stored) or self._inbox.is_store_away

    def _disconnected(self, *_args: Any) -> None:
        """The broker sends again all that is not acknowledged."""
        self._inbox.clear()

    def _acknowledge(self) -> None:
        """Send the newest acknowledgement of each node, one at a time for a node.

        They are cumulative. Behind a backlog, one for each record would queue up, because the
        broker accepts an acknowledgement only after the messages that it is sending. The nodes
        would wait for minutes and send everything again. In the same way 20 at once, the limit of
        paho, are too few for hundreds of nodes.
        """
        in_flight = set(self._sent_acks.values())
        due = [topic for topic in self._waiting_acks if topic not in in_flight]
        for topic in due[: max(0, self._receive_max - len(self._sent_acks))]:
            packet_id = self.client.publish(*self._waiting_acks.pop(topic)).mid
            self._sent_acks[packet_id] = topic
            self.watch.acknowledged(topic)

    def end(self) -> None:
        """Send the acknowledgements that wait, and end the connection in order."""
        until = time.monotonic() + _END_S
        while self.client.is_connected() and time.monotonic() < until:
            self._acknowledge()
            if not self._sent_acks or self.client.loop(_LOOP_STEP_S) != mqtt.MQTT_ERR_SUCCESS:
                break
        self.client.disconnect()

    def send(self, topic: str) -> int:
        """Publish an empty message. `results` has its end under the packet id returned here."""
        return self.client.publish(topic, b"", 1, False).mid

    def _published(
        self, _client: mqtt.Client, _data: Any, mid: int, reason: Any, *_args: Any
    ) -> None:
        is_denied = bool(reason is not None and reason.is_failure)
        topic = self._sent_acks.pop(mid, "")
        if not topic:
            self.results = {mid: not is_denied}
        elif is_denied and topic not in self._denied:
            self._denied.add(topic)
            text = _(
                "The broker denies the topic {topic}, so the node is never confirmed: {reason}"
            )
            self.watch.note(text.format(topic=topic, reason=reason))
