"""The LoRaWAN link: what the log holds, as frames inside an airtime budget.

What is new goes first, oldest first; at slow data rates several intervals as one (the log keeps
each of them), of which a frame holds as many as fit. While the budget is ample a frame repeats
what was sent before it. What the backend asks for again follows, the newest first. An uplink says
nothing about its arrival: the backend confirms with a downlink, now and then, and asks for what it
misses; when it stays silent for a day, sending starts over behind what it confirmed.

Beside MQTT (`primary`) this link is silent until that one has been down for `lora_after_min`. It
begins behind what that one has delivered, and has cursors of its own, so that MQTT afterwards
tells in full what went over the air in short form.
"""

import asyncio

from delivery.lorawan.airtime import Budget, airtime_ms, period_s
from delivery.lorawan.batcher import Bundles
from core.health import let_go
from micropython import const
from delivery.lorawan.downlink_queue import Orders
from ring import ANCHOR, EVENT, INTERVAL
from wire.frame import PORT_ANSWER, PORT_COUNTS, PORT_EVENT, PORT_RESENT, PORT_STATE
from wire.record import CLASSES

_SHORT = const(24)
_WITH_REPEAT = const(51)
_LOOK_S = const(30)
_LONGEST_S = const(600)
_LEAST = const(12)  # bytes of the shortest frame with an interval
_AGAIN_S = const(60)  # after a frame that did not get on the air
_STATE_S = const(86_400)
_TIMELESS_S = const(3600)
_CONFIRM_MOST_S = const(7 * 86_400)


class LoraLink(Bundles):
    """station: `lib/lorawan/device/end_device.py` or an AT modem.

    node: `lora_node.LoraNode`.
    primary: (outbox, link) of MQTT, or None.
    """

    def __init__(self, ring, station, clock, config, node, *, primary=None):
        super().__init__(ring, clock, node)
        self._station = station
        self._node = node
        self._primary = primary
        self._after_s = 60 * config["lora_after_min"]
        self._down_at = None  # uptime at which the primary link was found down
        self._is_on = primary is None
        self._budget = Budget(config["lora_airtime_s"], node.uptime_s)
        self._state_at = None  # uptime of the last state frame
        self._silent_since = node.uptime_s()
        self.orders = Orders(self, node, ring)
        station.on_down = self._received
        station.on_time = node.take_time
        self.frames = self.failures = self.radio_errors = self.long_frames = 0

    def stats(self):
        """For health reports."""
        return {
            "station": self._station.state(), "frames": self.frames, "failures": self.failures,
            "radio_errors": self.radio_errors, "long_frames": self.long_frames,
            "refused": self.orders.refused, "rewinds": self.rewinds, "on": self._is_on,
            "queue": self.queue_depth(),
        }  # fmt: skip

    def _received(self, port, payload):
        confirmed = self._confirmed
        self.orders.take(port, payload)
        if self._confirmed != confirmed:
            self._silent_since = self._uptime_s()
        self.wake()

    # --- the task

    async def run(self):
        """Send whatever is to be sent, for ever."""
        while True:
            wait_s = await self._step()
            self._news.clear()
            if wait_s:
                try:
                    await asyncio.wait_for(self._news.wait(), wait_s)
                except asyncio.TimeoutError:
                    continue
            else:
                await asyncio.sleep_ms(0)

    async def _step(self):
        """Send one frame; return for how many seconds there is nothing to do."""
        if not self._is_needed() and not self.orders.answers:
            return _LOOK_S
        room, how = self._station.max_payload(), self._station.modulation()
        if not room or how is None:
            return _LOOK_S
        self._period_s = period_s(how)
        return await self._send_next(min(room, len(self._frame_buf)), how)

    def _is_needed(self):
        """True without another link, or when that has been down for long enough."""
        if not self._primary:
            return True
        outbox, link = self._primary
        now_s = self._uptime_s()
        if link.is_up():
            self._down_at, self._is_on = None, False
            return False
        if self._down_at is None:
            self._down_at = now_s
        if not self._is_on and now_s - self._down_at >= self._after_s:
            self._is_on = True
            self._go_on_behind(outbox)
            self._silent_since = now_s
            self._node.log.info("lorawan: stands in from record %d on", self._sent + 1)
        return self._is_on

    async def _send_next(self, room, how):
        """Answers, the node's state, what is new, what is asked for again."""
        left_ms = self._budget.left_ms(self._station.state().get("airtime_s") or 0)
        if self.orders.answers:
            return await self._send_answer(left_ms, how)
        if self._state_at is None or self._uptime_s() - self._state_at >= _STATE_S:
            return await self._send_state(left_ms, how)
        missing_ms = airtime_ms(how, _LEAST) - left_ms
        if missing_ms > 0:
            return self._until_affordable(missing_ms)
        groups = self._groups(room // _LEAST) if self._knows_time() else None
        if groups:
            return await self._send_new(groups, room, how, left_ms)
        if self._again:
            return await self._send_again(room, how, left_ms)
        self._watch_silence()
        return _LOOK_S

    async def _send(self, port, n, how, left_ms):
        """Send what the frame's buffer holds; 0 when it is on the air, else seconds to wait."""
        cost_ms = airtime_ms(how, n)
        if cost_ms > left_ms:
            return self._until_affordable(cost_ms - left_ms)
        try:
            is_sent = await self._station.send(port, bytes(self._frame_buf[:n]))
        except OSError as error:
            self.radio_errors += 1
            self._node.log.warn("lorawan: %r", error)
            return _AGAIN_S
        except ValueError as error:  # the data rate has fallen in the meantime
            self._node.log.info("lorawan: %s", error)
            is_sent = False
        if not is_sent:
            self.failures += 1
            return _AGAIN_S
        self._budget.spend(cost_ms)
        self.frames += 1
        return 0

    def _until_affordable(self, missing_ms):
        """Seconds to wait: composing a frame reads the log, which costs the time of counting."""
        return min(max(self._budget.wait_s(missing_ms), _LOOK_S), _LONGEST_S)

    async def _send_answer(self, left_ms, how):
        name, code, text = self.orders.answers[0]
        n = _write(PORT_ANSWER, self._frame_buf, name, code, text)
        wait_s = await self._send(PORT_ANSWER, n, how, left_ms)
        if not wait_s:
            self.orders.answered()
        return wait_s

    async def _send_state(self, left_ms, how):
        ring = self._ring
        refused = min(self.orders.refused, 255)
        values = (ring.next_seq - 1, ring.first_seq) + self._node.state() + (refused,)
        n = _write(PORT_STATE, self._frame_buf, ring.log_id, values)
        wait_s = await self._send(PORT_STATE, n, how, left_ms)
        if not wait_s:
            self._state_at = self._uptime_s()
        return wait_s

    def tell_state(self):
        """The state is asked for."""
        self._state_at = None

    def _watch_silence(self):
        """Everything is sent: was the backend heard of within its time?"""
        now_s = self._uptime_s()
        if not self.confirms or self._confirmed >= self._sent:
            self._silent_since = now_s
        elif now_s - self._silent_since >= self._patience_s:
            self._rewind()
            self._silent_since = now_s
            self._patience_s = min(self._patience_s * 2, _CONFIRM_MOST_S)

    # --- what is new

    def _knows_time(self):
        """Records without a time wait an hour for one: it mostly comes with the first uplink."""
        return self._clock.utc() or self._uptime_s() >= _TIMELESS_S

    async def _send_new(self, groups, room, how, left_ms):
        if not groups[0][1]:
            return await self._send_other(groups[0][0], how, left_ms)
        rich = self._budget.is_rich(left_ms, airtime_ms(how, min(room, _WITH_REPEAT)))
        if len(groups) > 1:
            limit = room
        else:
            limit = min(room, _WITH_REPEAT if rich else _SHORT)
        taken, n = self._fill(groups, limit, rich)
        if not taken:
            self.long_frames += 1
            taken, n = self._fill(groups[:1], room, False)
        if not taken:
            return _LOOK_S  # the MAC's own answers take the room: they get shorter again
        wait_s = await self._send(PORT_COUNTS, n, how, left_ms)
        if not wait_s:
            self._sent_to(groups[taken - 1][0])
            self._turn = (self._turn + 1) % len(CLASSES)
        return wait_s

    async def _send_other(self, seq, how, left_ms):
        """An event, an anchor, or the news that records exist no longer, newest number `seq`."""
        kind, n = self._look(seq)
        if kind in (EVENT, ANCHOR):
            body = self._event_body(kind, seq, n)
        else:
            seq = self._gone_to(seq, self._ring.next_seq - 1)
            body = {"event": "gone", "from": self._sent + 1, "to": seq, "seq": 0}
        wait_s = await self._send_event(body, how, left_ms)
        if not wait_s:
            self._sent_to(seq)
        return wait_s

    async def _send_event(self, body, how, left_ms):
        n = _write(
            PORT_EVENT, self._frame_buf, self._ring.log_id, body["seq"], body.get("utc") or 0, body
        )
        return await self._send(PORT_EVENT, n, how, left_ms)

    # --- what is asked for again

    async def _send_again(self, room, how, left_ms):
        """The newest part of the first range, while the budget is ample."""
        if not self._budget.is_rich(left_ms, airtime_ms(how, room)):
            return _LOOK_S
        first, last = self._again[0]
        kind, n = self._look(last)
        if kind == INTERVAL:
            following, n = self._fill_back(first, last, room)
            wait_s = await self._send(PORT_RESENT, n, how, left_ms)
        elif kind:
            following = last - 1
            wait_s = await self._send_event(self._event_body(kind, last, n), how, left_ms)
        else:
            following = self._gone_from(first, last) - 1
            body = {"event": "gone", "from": following + 1, "to": last, "seq": 0}
            wait_s = await self._send_event(body, how, left_ms)
        if not wait_s:
            if following < first:
                self._again.pop(0)
            else:
                self._again[0] = first, following
        return wait_s


def _write(port, buf, *values):
    """As `wire.note.write`."""
    from wire.note import write  # RAM: such frames are seldom

    try:
        return write(port, buf, *values)
    finally:
        let_go("wire.note")
