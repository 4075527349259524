"""Live view of the detector for a technician who aims it: up to five lines of JSON a second.

    {"id":7,"aim":"targets","state":1,"targets":[{"m":23,"kmh":41,"deg":-3,"snr":18,"near":true}]}
    {"id":7,"aim":"beams","state":1,"beams":[[false,14],[true,13]]}    blocked, edges so far
    {"id":7,"aim":"passage","direction":"forward","class":"car","kmh":40.2}    kmh null: unknown

It shows single road users. So it goes to the console alone, ends by itself, and none of it is
logged or kept. The LED lights for a moment when a road user is counted.
"""

import asyncio
import time

from console.streams import begin
from core.faults import CommandError
from micropython import const
from radar import view
from wire.record import CLASSES, DIRECTIONS

_SECONDS_MAX = const(600)
_STEP_MS = const(200)
_IDLE_STEPS = const(5)  # there is a line at least once a second
_BLINK_STEPS = const(2)
_PASSAGES_MAX = const(8)  # shown between two lines; more are counted only


def aim(app, body, out):
    """Begin to stream, or end it. body: `seconds`, 1 to 600, 0 ends it."""
    seconds = body.get("seconds", 60)
    if type(seconds) is not int or not 0 <= seconds <= _SECONDS_MAX:
        raise CommandError("aim: seconds = %r, wanted 0..%d" % (seconds, _SECONDS_MAX))
    name = body["id"]
    begin(app, _aim(app, seconds, name, out) if seconds else None, name, out)
    return {"seconds": seconds, "detector": app.config["detector"]}


async def _aim(app, seconds, name, out):
    """Stream for `seconds` to `out`; return {"passages": number}."""
    live = Live(app, name, out)
    counter, detector = app.counter, app.detector
    counter.on_passage = live.passed
    if live.view:
        detector.watch = live.view.note
    try:
        end_ms = time.ticks_add(time.ticks_ms(), seconds * 1000)
        while time.ticks_diff(end_ms, time.ticks_ms()) > 0:
            await asyncio.sleep_ms(_STEP_MS)
            live.step()
    finally:
        counter.on_passage = None
        if live.view:
            detector.watch = None
        app.board.led(False)
    return {"passages": live.passages}


class Live:
    """Collects passages between two lines. `passed` is called from counting, allocates nothing."""

    def __init__(self, app, name, out):
        self._led = app.board.led
        self._detector = app.detector
        self._name = name
        self._out = out
        self.view = _view(app.config)
        self.passages = 0
        self._shown = 0
        self._waiting = [None] * _PASSAGES_MAX
        self._blink = 0
        self._idle = _IDLE_STEPS
        self._before = None  # the beams as they were

    def passed(self, passage):
        """A passage was counted, as `PassageQueue.pop` returns it."""
        self._waiting[self.passages % _PASSAGES_MAX] = passage
        self.passages += 1
        self._led(True)

    def step(self):
        """Write the lines that are due. Called five times a second."""
        self._show_passages()
        self._idle += 1
        if self.view:
            self._show_targets()
        else:
            self._show_beams()

    def _show_passages(self):
        if self._shown == self.passages:
            if self._blink:
                self._blink -= 1
                self._led(self._blink > 0)
            return
        self._blink = _BLINK_STEPS
        self._shown = max(self._shown, self.passages - _PASSAGES_MAX)
        while self._shown < self.passages:
            direction, cls, speed = self._waiting[self._shown % _PASSAGES_MAX][:3]
            self._shown += 1
            self._write(
                "passage", direction=DIRECTIONS[direction],
                kmh=speed / 10 if speed >= 0 else None, **{"class": CLASSES[cls]}
            )  # fmt: skip

    def _show_targets(self):
        if self.view.fresh or self._idle >= _IDLE_STEPS:
            self._write("targets", state=self._detector.state, targets=self.view.pop_targets())

    def _show_beams(self):
        now = self._detector.beams()
        if now != self._before or self._idle >= _IDLE_STEPS:
            self._before = now
            self._write("beams", state=self._detector.state, beams=now)

    def _write(self, kind, **body):
        self._idle = 0
        body["id"], body["aim"] = self._name, kind
        self._out.line(body)


def _view(config):
    """The view of the configured radar's reports. None for light barriers."""
    kind = config["detector"]
    if kind in ("beam", "beam_single", "pir_pair", "vl53l1x"):
        return None
    if kind == "ld2451":
        return view.LD2451View(config["radar_dir_approach"])
    if kind == "ld2450":
        return view.LD2450View()
    return view.DopplerView() if kind == "doppler" else view.OPS243View()
