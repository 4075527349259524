"""What the detector sees, live, for a technician who turns it: lines of JSON, five a second.

    {"id":7,"aim":"targets","state":1,"targets":[{"m":23,"kmh":41,"deg":-3,"snr":18,"near":true}]}
    {"id":7,"aim":"beams","state":1,"beams":[[false,14],[true,13]]}    blocked, edges so far
    {"id":7,"aim":"passage","direction":"forward","class":"car","kmh":40.2}    kmh null: unknown

It tells of single road users, so it goes to the console alone, ends by itself, and nothing of it
is logged or kept. The LED is on for a moment when somebody is counted.
"""

import asyncio
import time

from core.faults import CommandError
from micropython import const
from console.streams import begin
from wire.record import CLASSES, DIRECTIONS

_MOST_S = const(600)
_STEP_MS = const(200)
_IDLE_STEPS = const(5)  # something is said once a second, whatever happens
_BLINK_STEPS = const(2)
_PASSAGES = const(8)  # between two lines; more are counted, and not told


def aim(app, body, out):
    """Begin to stream, or end it, see commands.py. body: `seconds`, 1 to 600, 0 ends it."""
    seconds = body.get("seconds", 60)
    if type(seconds) is not int or not 0 <= seconds <= _MOST_S:
        raise CommandError("aim: seconds = %r, wanted 0..%d" % (seconds, _MOST_S))
    name = body["id"]
    begin(app, _aim(app, seconds, name, out) if seconds else None, name, out)
    return {"seconds": seconds, "detector": app.config["detector"]}


async def _aim(app, seconds, name, out):
    """Stream for so long to `out`; return {"passages": number}."""
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
    """What is seen between two lines. `passed` is called from counting and allocates nothing."""

    def __init__(self, app, name, out):
        self._led = app.board.led
        self._detector = app.detector
        self._name = name
        self._out = out
        self.view = _view(app.config)
        self.passages = 0
        self._told = 0
        self._waiting = [None] * _PASSAGES
        self._blink = 0
        self._idle = _IDLE_STEPS
        self._before = None  # what the beams were

    def passed(self, passage):
        """One was counted, as `PassageQueue.pop` gives it."""
        self._waiting[self.passages % _PASSAGES] = passage
        self.passages += 1
        self._led(True)

    def step(self):
        """Say what there is to say, five times a second."""
        self._tell_passages()
        self._idle += 1
        if self.view:
            self._tell_targets()
        else:
            self._tell_beams()

    def _tell_passages(self):
        if self._told == self.passages:
            if self._blink:
                self._blink -= 1
                self._led(self._blink > 0)
            return
        self._blink = _BLINK_STEPS
        self._told = max(self._told, self.passages - _PASSAGES)
        while self._told < self.passages:
            way, cls, speed = self._waiting[self._told % _PASSAGES][:3]
            self._told += 1
            self._say(
                "passage", direction=DIRECTIONS[way], kmh=speed / 10 if speed >= 0 else None,
                **{"class": CLASSES[cls]}
            )  # fmt: skip

    def _tell_targets(self):
        if self.view.fresh or self._idle >= _IDLE_STEPS:
            self._say("targets", state=self._detector.state, targets=self.view.pop_targets())

    def _tell_beams(self):
        now = self._detector.beams()
        if now != self._before or self._idle >= _IDLE_STEPS:
            self._before = now
            self._say("beams", state=self._detector.state, beams=now)

    def _say(self, what, **body):
        self._idle = 0
        body["id"], body["aim"] = self._name, what
        self._out.line(body)


def _view(config):
    """What shows the reports of the configured radar; None for light barriers."""
    kind = config["detector"]
    if kind in ("beam", "beam_single"):
        return None
    from radar import view

    if kind == "ld2451":
        return view.LD2451View(config["radar_dir_approach"])
    if kind == "ld2450":
        return view.LD2450View()
    return view.DopplerView() if kind == "doppler" else view.OPS243View()
