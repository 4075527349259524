"""What comes in over MQTT, and what goes out beside the records: replies and health."""

import asyncio
import json

from core.faults import refusal
from core.health import let_go
from micropython import const
from mqtt import FrameFull, LinkDown

_HEALTH_S = const(900)
_MAX_REPLIES = const(8)


class Desk:
    """app: uplink, link, log, health, spawn(), and what the commands work on."""

    def __init__(self, app):
        self._app = app
        self._replies = 0  # on their way
        app.link.on_message = self._message
        app.link.on_refused = self._refused

    def _message(self, suffix, payload):
        app = self._app
        if suffix == "ack":
            try:
                app.uplink.acknowledge(payload)
            except ValueError as error:
                app.uplink.refused_acks += 1
                self._answer(refusal(None, error))
        elif self._replies < _MAX_REPLIES:
            self._answer(self._carry_out(payload))
        else:
            app.refused_commands += 1  # nothing is carried out that could not be answered

    def _carry_out(self, payload):
        try:
            from commands.registry import handle  # large, and seldom needed

            return handle(self._app, payload)
        except MemoryError:
            self._app.refused_commands += 1
            return refusal(None, "no memory")
        finally:
            let_go("commands.registry")

    def _refused(self, reason):
        self._app.refused_commands += 1
        self._answer(refusal(None, reason))

    def _answer(self, body):
        """Reply, unless so many replies wait already that the heap holds no more."""
        if self._replies < _MAX_REPLIES:
            self._replies += 1
            self._app.spawn(self._reply(body), "reply")

    async def _reply(self, body):
        link = self._app.link
        try:
            try:
                await link.publish("reply", body, qos=0)
            except FrameFull as error:
                await link.publish("reply", refusal(body["id"], error), qos=0)
        except LinkDown:
            self._app.log.warn("a reply was lost with the link")
        finally:
            self._replies -= 1

    async def report_health(self):
        """Say how the node is, every quarter of an hour, for ever."""
        app = self._app
        while True:
            await asyncio.sleep(_HEALTH_S)
            try:
                await app.link.publish("health", self._write_health, qos=0)
            except LinkDown:
                app.log.debug("no health report while the link is down")

    def _write_health(self, frame):
        # RAM: the report lives no longer than it takes to write it
        json.dump(self._app.health.report(self._app), frame)
