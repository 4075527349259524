"""Handles acknowledgements and commands that arrive over MQTT, and reports health."""

import asyncio
import json

from core.faults import refusal
from core.health import report
from micropython import const
from mqtt import FrameFull, LinkDown

_HEALTH_S = const(900)
_REPLIES_MAX = const(8)


class RequestHandler:
    """app: the application, with its uplink, link, health and supervisor."""

    def __init__(self, app):
        self._app = app
        self._replies = 0  # number of replies that are being sent
        app.link.on_message = self._message
        app.link.on_refused = self._refused

    def _message(self, suffix, payload):
        app = self._app
        if suffix == "ack":
            try:
                app.uplink.acknowledge(payload)
            except Exception as error:  # whatever is wrong with it, the link goes on
                app.uplink.refused_acks += 1
                self._answer(refusal(None, error))
        elif self._replies < _REPLIES_MAX:
            self._answer(app.command(payload))
        else:
            app.refused_commands += 1  # without room for its reply no command is carried out

    def _refused(self, reason):
        self._app.refused_commands += 1
        self._answer(refusal(None, reason))

    def _answer(self, body):
        """Reply, unless so many replies wait already that the heap holds no more."""
        if self._replies < _REPLIES_MAX:
            self._replies += 1
            self._app.supervisor.spawn(self._reply(body), "reply")

    async def _reply(self, body):
        link = self._app.link
        try:
            try:
                await link.publish("reply", body, qos=0)
            except (FrameFull, MemoryError) as error:
                await link.publish("reply", refusal(body["id"], error), qos=0)
        except LinkDown:
            self._app.log.warn("a reply was lost with the link")
        finally:
            self._replies -= 1

    async def report_health(self, progress):
        """Publish the health report every quarter of an hour, for ever."""
        app = self._app
        while True:
            await asyncio.sleep(_HEALTH_S)
            try:
                await app.link.publish("health", self._write_health, qos=0)
            except LinkDown:
                app.log.debug("no health report while the link is down")
            except MemoryError:
                app.log.warn("no memory for a health report")
            app.link.reopen()
            progress.made()

    def _write_health(self, frame):
        # The report is built here, so that it lives no longer than it takes to write it.
        json.dump(report(self._app), frame)
