"""Plays the city's backend behind a network server: the product's own collector.

The server hands over uplinks in the form of The Things Stack. For each device it keeps the last
downlink that was asked for. That downlink answers the next uplink.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.world.lorawan.server import Message, Session
from tallypost.backend.collector import News
from tallypost.backend.lorawan.collector import LoraCollector

HANDOVER_US = 400_000  # from the uplink's end to the collector: servers wait for other gateways
_TENANT = "city@ttn"


class LorawanCollectorBridge:
    """Collects into the SQLite file `path` every uplink of the device `node`. Its `uplink` is the
    `on_data` of a network.

    away: spans (from, to in microseconds) during which the backend is not subscribed. Uplinks that
    the server hands over in that time are lost.
    """

    def __init__(
        self,
        path: Path,
        node: str,
        start_utc: int,
        *,
        away: Sequence[tuple[int, int]],
        on_news: News,
    ) -> None:
        self.collector = LoraCollector(path, on_news)
        self._node = node
        self._start_utc = start_utc
        self._away = away
        self.call_at: Callable[[int, Callable[[], None]], None] = lambda _t, _f: None

    def uplink(self, session: Session, port: int, data: bytes, end_us: int) -> None:
        t_us = end_us + HANDOVER_US
        self.call_at(t_us, lambda: self._hand_over(session, port, data, t_us))

    def _hand_over(self, session: Session, port: int, data: bytes, t_us: int) -> None:
        if any(start <= t_us < end for start, end in self._away):
            return
        message = {"f_port": port, "frm_payload": base64.b64encode(data).decode()}
        answers = self.collector.on_message(
            f"v3/{_TENANT}/devices/{self._node}/up",
            json.dumps({"uplink_message": message}).encode(),
            self._start_utc + t_us / 1e6,
        )
        for topic, payload, _qos, _retain in answers:
            assert topic.endswith(f"/{self._node}/down/replace"), topic
            asked = json.loads(payload)["downlinks"]
            session.messages[:] = [
                Message(item["f_port"], base64.b64decode(item["frm_payload"])) for item in asked
            ]
