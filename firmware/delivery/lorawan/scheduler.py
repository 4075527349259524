"""Schedules LoRaWAN uplinks: the records of the log as frames inside an airtime budget.

New records go first, oldest first. At slow data rates several intervals are merged into one (the
log keeps each of them), and a frame holds as many as fit. While the budget is ample a frame
repeats the interval sent before it. Resend requests follow, newest record first. An uplink says
nothing about its arrival. The backend confirms with a downlink now and then, and asks for missing
records. When it stays silent for a day, records are retransmitted from the last confirmed one on.

All nodes of a city close their intervals in the same second, and start together when the power
comes back. So the first frame after a start, and a new record, wait at random (TR007-1.1 of the
LoRa Alliance, 4.7.2).

Beside MQTT (`primary`) this link is silent until MQTT has been down for `lora_after_min`. It
begins after the records that MQTT has delivered. It has cursors of its own, so MQTT later sends
in full the records that went over the air in short form.
"""

import asyncio

from core.modules import unload_modules
from delivery.lorawan.airtime import Budget, airtime_ms, period_s
from delivery.lorawan.batcher import Batcher
from delivery.lorawan.downlink_queue import DownlinkQueue
from micropython import const
from ring import ANCHOR, EVENT, INTERVAL
from wire.frame import PORT_ANSWER, PORT_COUNTS, PORT_EVENT, PORT_RESENT, PORT_STATE
from wire.record import CLASSES

_SHORT_BYTES = const(24)
_REPEAT_BYTES = const(51)
_LOOK_S = const(30)
_WAIT_MAX_S = const(600)
_INTERVAL_BYTES_MIN = const(12)  # of a frame with an interval
_RETRY_S = const(60)  # after a frame that was not on the air
_STATE_S = const(86_400)
_TIMELESS_S = const(3600)
_ACK_TIMEOUT_MAX_S = const(7 * 86_400)
_START_SPREAD_S = const(30)
_SPREAD_SHARE = const(8)  # new records leave in the first eighth of the next interval


class UplinkScheduler(Batcher):
    """device: `lib/lorawan/device/end_device.py` or an AT modem. node: `service.LoraService`.

    rng(bits) -> int, different in every node. primary: (outbox, link) of MQTT, or None.
    """

    def __init__(self, ring, device, clock, config, node, *, rng, primary=None):
        super().__init__(ring, clock, node)
        self._device = device
        self._node = node
        self._primary = primary
        self._after_s = 60 * config["lora_after_min"]
        self._down_at = None  # uptime at which the primary link was found down
        self._is_on = primary is None
        self._budget = Budget(config["lora_airtime_s"], node.uptime_s)
        self._state_at = None  # uptime of the last state frame
        self._rng = rng
        self._spread_s = 60 * config["interval_min"] // _SPREAD_SHARE
        self._spread_to = ring.next_seq - 1  # the newest record whose wait is known
        self._hold_until = node.uptime_s() + self._draw(_START_SPREAD_S)
        self._silent_since = node.uptime_s()
        self._downlinks = DownlinkQueue(self, node, ring)
        device.on_down = self._received
        device.on_time = node.set_time
        self.frames = self.failures = self.radio_errors = self.long_frames = 0

    def stats(self):
        """For health reports."""
        return {
            "station": self._device.state(), "frames": self.frames, "failures": self.failures,
            "radio_errors": self.radio_errors, "long_frames": self.long_frames,
            "refused": self._downlinks.refused, "rewinds": self.retransmissions,
            "on": self._is_on, "queue": self.queue_depth(),
        }  # fmt: skip

    def _received(self, port, payload):
        confirmed = self._confirmed
        self._downlinks.receive(port, payload)
        if self._confirmed != confirmed:
            self._silent_since = self._uptime_s()
        self.wake()

    # --- the task

    async def run(self, progress):
        """Send frames for ever."""
        while True:
            wait_s = await self._step()
            progress.made()
            self._news.clear()
            if wait_s:
                try:
                    await asyncio.wait_for(self._news.wait(), wait_s)
                except asyncio.TimeoutError:
                    continue
            else:
                await asyncio.sleep_ms(0)

    async def _step(self):
        """Send one frame. Returns the seconds for which there is nothing to do."""
        if not self._is_needed() and not self._downlinks.answers:
            return _LOOK_S
        size, modulation = self._device.max_payload(), self._device.modulation()
        if not size or modulation is None:
            return _LOOK_S
        self._period_s = period_s(modulation)
        return await self._send_next(min(size, len(self._frame_buf)), modulation)

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
            self._continue_after(outbox)
            self._silent_since = now_s
            self._node.log.info("lorawan: stands in from record %d on", self._sent + 1)
        return self._is_on

    async def _send_next(self, size, modulation):
        """Send an answer, else the node's state, else new records, else requested ones."""
        left_ms = self._budget.left_ms(self._device.state().get("airtime_s") or 0)
        if self._downlinks.answers:
            return await self._send_answer(left_ms, modulation)
        hold_s = self._hold_s()
        if hold_s > 0:
            return hold_s
        if self._state_at is None or self._uptime_s() - self._state_at >= _STATE_S:
            return await self._send_state(left_ms, modulation)
        missing_ms = airtime_ms(modulation, _INTERVAL_BYTES_MIN) - left_ms
        if missing_ms > 0:
            return self._until_affordable(missing_ms)
        groups = self._groups(size // _INTERVAL_BYTES_MIN) if self._knows_time() else None
        if groups:
            return await self._send_new(groups, size, modulation, left_ms)
        if self._resend_ranges:
            return await self._send_requested(size, modulation, left_ms)
        self._watch_silence()
        return _LOOK_S

    def _hold_s(self):
        """Seconds for which nothing new may be sent. A record draws them once."""
        now_s = self._uptime_s()
        newest = self._ring.next_seq - 1
        if newest > self._spread_to:
            self._spread_to = newest
            if now_s >= self._hold_until:
                self._hold_until = now_s + self._draw(self._spread_s)
        return self._hold_until - now_s

    def _draw(self, within_s):
        """A random number of seconds below `within_s`."""
        return self._rng(16) * within_s >> 16

    async def _send(self, port, n, modulation, left_ms):
        """Send `n` bytes of the frame. Returns seconds to wait, 0 when they were on the air."""
        cost_ms = airtime_ms(modulation, n)
        if cost_ms > left_ms:
            return self._until_affordable(cost_ms - left_ms)
        try:
            is_sent = await self._device.send(port, bytes(self._frame_buf[:n]))
        except OSError as error:
            self.radio_errors += 1
            self._node.log.warn("lorawan: %r", error)
            return _RETRY_S
        except ValueError as error:  # the data rate has fallen in the meantime
            self._node.log.info("lorawan: %s", error)
            is_sent = False
        if not is_sent:
            self.failures += 1
            return _RETRY_S
        self._budget.spend(cost_ms)
        self.frames += 1
        return 0

    def _until_affordable(self, missing_ms):
        """Seconds to wait: composing a frame reads the log, which costs the time of counting."""
        return min(max(self._budget.wait_s(missing_ms), _LOOK_S), _WAIT_MAX_S)

    async def _send_answer(self, left_ms, modulation):
        name, code, text = self._downlinks.answers[0]
        n = _write(PORT_ANSWER, self._frame_buf, name, code, text)
        wait_s = await self._send(PORT_ANSWER, n, modulation, left_ms)
        if not wait_s:
            self._downlinks.answered()
        return wait_s

    async def _send_state(self, left_ms, modulation):
        ring = self._ring
        refused = min(self._downlinks.refused, 255)
        values = (ring.next_seq - 1, ring.first_seq) + self._node.state() + (refused,)
        n = _write(PORT_STATE, self._frame_buf, ring.log_id, values)
        wait_s = await self._send(PORT_STATE, n, modulation, left_ms)
        if not wait_s:
            self._state_at = self._uptime_s()
        return wait_s

    def report_state(self):
        """Send a state frame soon."""
        self._state_at = None

    def _watch_silence(self):
        """Everything is sent. Retransmit when the backend did not confirm in time."""
        now_s = self._uptime_s()
        if not self.confirms or self._confirmed >= self._sent:
            self._silent_since = now_s
        elif now_s - self._silent_since >= self._ack_timeout_s:
            self._retransmit_from_confirmed(_ACK_TIMEOUT_MAX_S)
            self._silent_since = now_s

    # --- new records

    def _knows_time(self):
        """Records without a time wait an hour for one: it mostly comes with the first uplink."""
        return self._clock.utc() or self._uptime_s() >= _TIMELESS_S

    async def _send_new(self, groups, size, modulation, left_ms):
        if not groups[0][1]:
            return await self._send_other(groups[0][0], modulation, left_ms)
        cost_ms = airtime_ms(modulation, min(size, _REPEAT_BYTES))
        is_ample = self._budget.is_ample(left_ms, cost_ms)
        if len(groups) > 1:
            limit = size
        else:
            limit = min(size, _REPEAT_BYTES if is_ample else _SHORT_BYTES)
        count, n = self._fill(groups, limit, is_ample)
        if not count:
            self.long_frames += 1
            count, n = self._fill(groups[:1], size, False)
        if not count:
            return _LOOK_S  # the MAC's own answers fill the frame: they get shorter again
        wait_s = await self._send(PORT_COUNTS, n, modulation, left_ms)
        if not wait_s:
            self._sent_to(groups[count - 1][0])
            self._turn = (self._turn + 1) % len(CLASSES)
        return wait_s

    async def _send_other(self, seq, modulation, left_ms):
        """Send the event or anchor `seq`, or the report that records up to there are lost."""
        kind, n = self._read(seq)
        if kind in (EVENT, ANCHOR):
            body = self._event_body(kind, seq, n)
        else:
            seq = self._lost_to(seq, self._ring.next_seq - 1)
            body = {"event": "gone", "from": self._sent + 1, "to": seq, "seq": 0}
        wait_s = await self._send_event(body, modulation, left_ms)
        if not wait_s:
            self._sent_to(seq)
        return wait_s

    async def _send_event(self, body, modulation, left_ms):
        n = _write(
            PORT_EVENT, self._frame_buf, self._ring.log_id, body["seq"], body.get("utc") or 0, body
        )
        return await self._send(PORT_EVENT, n, modulation, left_ms)

    # --- requested records

    async def _send_requested(self, size, modulation, left_ms):
        """Send the newest part of the first range, while the budget is ample."""
        if not self._budget.is_ample(left_ms, airtime_ms(modulation, size)):
            return _LOOK_S
        first, last = self._resend_ranges[0]
        kind, n = self._read(last)
        if kind == INTERVAL:
            following, n = self._fill_back(first, last, size)
            wait_s = await self._send(PORT_RESENT, n, modulation, left_ms)
        elif kind:
            following = last - 1
            body = self._event_body(kind, last, n)
            wait_s = await self._send_event(body, modulation, left_ms)
        else:
            following = self._lost_from(first, last) - 1
            body = {"event": "gone", "from": following + 1, "to": last, "seq": 0}
            wait_s = await self._send_event(body, modulation, left_ms)
        if not wait_s:
            if following < first:
                self._resend_ranges.pop(0)
            else:
                self._resend_ranges[0] = first, following
        return wait_s


def _write(port, buf, *values):
    """As `wire.note.write`."""
    from wire.note import write  # 2,600 bytes

    try:
        return write(port, buf, *values)
    finally:
        unload_modules()
