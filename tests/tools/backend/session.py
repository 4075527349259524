"""The message handling of `tallypost listen`, without a broker."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paho.mqtt.client as mqtt

from tallypost import console
from tallypost.backend import listen
from tallypost.backend.collector import Collector
from tallypost.backend.listener import Listener


class Session:
    """words: options of the command. acks: the packet ids that the broker got back."""

    def __init__(self, db: Path, *words: str) -> None:
        parser = argparse.ArgumentParser()
        listen.options(parser)
        args = parser.parse_args(["--db", str(db), *words])
        show = console.result_json if args.json else listen.show
        self.collector = Collector(args.db, on_news=lambda *news: show(listen.as_object(*news)))
        self.listener = Listener(self.collector, listen.topics("tallypost/v1"), "")
        self.sent = self.acknowledged = 0
        client: Any = self.listener.client
        client.ack = self._ack
        client.publish = lambda *_: SimpleNamespace(mid=0)

    def _ack(self, mid: int, _qos: int) -> None:
        self.acknowledged += 1
        assert mid == self.sent, f"message {mid} was acknowledged instead of {self.sent}"

    def receive(self, topic: str | bytes, payload: bytes) -> None:
        """A message of the broker. It is an error if it is not acknowledged exactly once."""
        self.sent += 1
        name = topic if isinstance(topic, bytes) else topic.encode()
        message = mqtt.MQTTMessage(self.sent, name)
        message.payload = payload
        self.listener.client.on_message(self.listener.client, None, message)
        self.listener.handle()
        assert self.acknowledged == self.sent, payload[:100]
