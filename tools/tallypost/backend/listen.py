"""`tallypost listen`: takes what nodes send from an MQTT broker, stores it, and confirms it.

The broker's message is acknowledged (PUBACK) after the commit, and the session is durable: what is
sent while nobody listens waits at the broker, and what the broker loses is asked for again.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import ssl
import time
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tallypost import console
from tallypost.backend import network_server
from tallypost.backend.collector import Publication, Collector, News
from tallypost.backend.lora_collector import LoraCollector
from tallypost.backend.store import rfc3339
from tallypost.faults import ToolError

_KEEPALIVE_S = 60
_LOOP_STEP_S = 0.5
_RECONNECT_WAIT_MAX_S = 30.0
_AWAY = "is a broker running there? mosquitto -p {port} starts one"


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--host", default="localhost", help="the broker (localhost)")
    add("--port", type=int, help="its port (1883, with --ca 8883)")
    add("--ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority, PEM")
    add("--root", default="tallypost/v1", help="root of the topics (tallypost/v1)")
    add("--lorawan", choices=("ttn", "chirpstack"), help="the broker is a network server's")
    add("--db", type=Path, default=Path("tallypost.sqlite"), help="SQLite file (tallypost.sqlite)")
    add("--client-id", default="tallypost-listen", help="its session at the broker ('' = none)")
    add("--user", default="")
    add("--password-file", type=Path, metavar="FILE")
    add("--json", action="store_true", help="one JSON object a line")
    add("--seconds", type=float, default=0, metavar="S", help="stop after S seconds (never)")


def run(args: argparse.Namespace) -> int:
    """Listen until --seconds are over, or Ctrl-C or SIGTERM end it; raises ToolError."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    if args.db.parent and not args.db.parent.is_dir():
        raise ToolError(f"{args.db.parent}: no such folder", "name another file with --db")
    show = console.result_json if args.json else _show
    collector, topics = _collector(args, lambda *news: show(_line(*news)))
    listener = Listener(collector, topics, args.client_id)
    if args.user or args.password_file:
        listener.client.username_pw_set(args.user or None, _secret(args))
    port = (8883 if args.ca else 1883) if args.port is None else args.port
    try:
        if args.ca:
            use_tls(listener.client, args.ca)
        listener.connect(args.host, port)
        what = args.lorawan or args.root
        console.note(f"listening to {what} at {args.host}:{port}, storing in {args.db}")
        listener.loop(args.seconds or float("inf"))
    finally:
        signal.signal(signal.SIGTERM, before)
        listener.client.disconnect()
        collector.close()
    return 0


def _collector(
    args: argparse.Namespace, on_news: News
) -> tuple[Collector | LoraCollector, list[str]]:
    """What takes the messages, and the topics they come on."""
    if args.lorawan:
        return LoraCollector(args.db, on_news), [network_server.TOPICS[args.lorawan]]
    return Collector(args.db, args.root, on_news), topics(args.root)


def topics(root: str) -> list[str]:
    """Those of nodes that speak MQTT."""
    return [f"{root}/+/{suffix}" for suffix in ("counts", "event", "status")]


class Consumer(Protocol):
    """What is told of every message, and answers; raises sqlite3.Error when it cannot keep it."""

    def on_message(self, topic: str, payload: bytes, utc: float) -> list[Publication]: ...


class Listener:
    """A client of a real broker around a collector. One thread: `loop()` does everything."""

    def __init__(self, collector: Consumer, topics: list[str], client_id: str) -> None:
        self._collector = collector
        self._topics = topics
        self._refused = ""
        self._subscribed = False
        self._failed: Exception | None = None
        self._acks: dict[str, Publication] = {}  # by topic, what a node is to be told next
        self._told: dict[int, str] = {}  # packet id, topic of the one that is on its way
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=not client_id, manual_ack=True
        )
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._confirmed
        self.client.on_message = self._message
        self.client.on_publish = self._published

    def connect(self, host: str, port: int) -> None:
        """Connect and wait until the broker has taken the subscription; raises ToolError."""
        try:
            self.client.connect(host, port, _KEEPALIVE_S)
        except ssl.SSLError as error:
            what = f"{host}:{port}: TLS: {getattr(error, 'verify_message', '') or error.reason}"
            raise ToolError(what, "check --ca, --host and --port") from error
        except (OSError, ValueError) as error:
            what = f"{host}:{port}: {getattr(error, 'strerror', None) or error}"
            raise ToolError(what, _AWAY.format(port=port)) from error
        until = time.monotonic() + 10
        while not self._subscribed:
            if time.monotonic() > until:
                raise ToolError(f"{host}:{port}: no answer to CONNECT or SUBSCRIBE within 10 s")
            code = self.client.loop(_LOOP_STEP_S)
            if self._refused:
                raise ToolError(
                    f"{host}:{port}: the broker refuses: {self._refused}",
                    "check --user and --password-file",
                )
            if code != mqtt.MQTT_ERR_SUCCESS and not self.client.is_connected():
                raise ToolError(f"{host}:{port}: {mqtt.error_string(code)}")

    def loop(self, seconds: float) -> None:
        """Listen for so long; an interrupted connection is taken up again."""
        until = time.monotonic() + seconds
        wait_s = 1.0
        while (left := until - time.monotonic()) > 0:
            code = self.client.loop(min(_LOOP_STEP_S, left))
            self._acknowledge()
            if self._failed:
                raise ToolError(f"the database: {self._failed}", "nothing was confirmed")
            if code == mqtt.MQTT_ERR_SUCCESS:
                wait_s = 1.0
                continue
            console.note(f"connection lost ({mqtt.error_string(code)}), again in {wait_s:.0f} s")
            time.sleep(min(wait_s, left))
            wait_s = min(2 * wait_s, _RECONNECT_WAIT_MAX_S)
            try:
                self.client.reconnect()
            except OSError as error:
                console.note(str(error))

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _: Any
    ) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        client.subscribe([(topic, 1) for topic in self._topics])

    def _confirmed(self, *_: Any) -> None:
        self._subscribed = True

    def _message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if self._failed:
            return
        try:
            answers = self._collector.on_message(
                message.topic, bytes(message.payload), time.time()
            )
        except sqlite3.Error as error:
            self._failed = error  # neither committed nor acknowledged: it will come again
            return
        client.ack(message.mid, message.qos)
        for answer in answers:
            if answer[0].endswith("/ack"):
                self._acks[answer[0]] = answer
            else:
                client.publish(*answer)

    def _acknowledge(self) -> None:
        """One acknowledgement a node is on its way at a time, then the newest one.

        They are cumulative. One a record queues up behind a backlog (the broker takes each only
        after what it is sending), and nodes that wait for minutes send everything again.
        """
        flying = set(self._told.values())
        for topic in [topic for topic in self._acks if topic not in flying]:
            self._told[self.client.publish(*self._acks.pop(topic)).mid] = topic

    def _published(self, _client: mqtt.Client, _data: Any, mid: int, *_: Any) -> None:
        self._told.pop(mid, None)


def use_tls(client: mqtt.Client, ca: Path) -> None:
    """Use TLS with brokers whose certificate this authority has signed, and with no others."""
    try:
        client.tls_set(ca_certs=str(ca))
    except (OSError, ValueError) as error:
        raise ToolError(f"{ca}: {error}", "a certificate as PEM is wanted") from error


def _secret(args: argparse.Namespace) -> str | None:
    if not args.password_file:
        return None
    try:
        return str(args.password_file.read_text()).strip()
    except OSError as error:
        raise ToolError(f"{args.password_file}: {error.strerror}") from error


def _line(kind: str, node: str, body: dict[str, Any]) -> dict[str, Any]:
    """A piece of news as one object."""
    return {"at": rfc3339(time.time()), "what": kind, "node": node, **body}


def _show(news: dict[str, Any]) -> None:
    console.result(f"{news['at'][11:19]} {news['node']:<12} {describe(news)}")


def describe(news: dict[str, Any]) -> str:
    """A piece of news in a line for people."""
    what = news["what"]
    if what == "interval":
        arrows = (("forward", "->"), ("backward", "<-"))
        counted = "  ".join(f"{arrow} {_classes(news['counts'][way])}" for way, arrow in arrows)
        why = f"  ({', '.join(news['why'])})" if news["why"] else ""
        start = news["start"] or "time unknown"
        return f"{start} {news['cov']}/{news['len']} s observed  {counted}{why}"
    if what == "status":
        return f"{news.get('state', '?')}, version {news.get('version', '?')}"
    if what == "event":
        return f"event {news['event']}"
    if what == "state":
        return f"log {news['log']}, newest record {news['newest']}, detector {news['det']}"
    if what == "answer":
        return f"answer to {news['id']}: {news['code']} {news['text']}"
    if what == "gone":
        return f"records {news['from']} to {news['to']} no longer exist on the node"
    return f"{what}: {news.get('reason') or news.get('what')}"


def _classes(classes: dict[str, int]) -> str:
    return " ".join(f"{name} {n}" for name, n in classes.items() if n) or "0"
