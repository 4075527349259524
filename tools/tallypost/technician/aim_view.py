"""The view of `tallypost aim`: targets and beams now, the last passages, and hints for aiming.

Pure: messages of the node in (firmware/console/live_view.py), text out. `clock()` gives seconds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tallypost.i18n import _, decimal
from tallypost.technician.detector_rules import BEAMS, DETECTOR_STATES

Body = dict[str, Any]

_BAR_CHARACTERS = 30  # of a target at the largest distance
_DISTANCE_MAX_M = {"ld2451": 100, "ld2450": 8}
_SNR_MIN = 8
_ANGLE_MAX_DEG = 15  # half of the LD2451's lobe is 10 degrees; targets further out are lost early
_AVERAGE_TARGETS_MIN = 20  # fewer targets give no average
_QUIET_MAX_S = 20.0
_SHOWN_PASSAGES = 5
_LINE_INTERVAL_S = 1.0  # between lines of targets where no picture is drawn


class AimView:
    """detector: as configured, `ld2451`, `beam`, ..."""

    def __init__(self, detector: str, clock: Callable[[], float]) -> None:
        self._detector = detector
        self._clock = clock
        self._seen_at = self._line_at = clock()
        self._state = 0
        self._targets: list[Body] = []
        self._beams: list[list[Any]] = []
        self._passages: deque[str] = deque(maxlen=_SHOWN_PASSAGES)
        self._counted: Counter[tuple[str, str]] = Counter()
        self._recent: deque[Body] = deque(maxlen=100)
        self._hint = ""

    def update(self, body: Body) -> list[str]:
        """Use a message of the node. Returns the lines to print where no picture is drawn."""
        self._state = body.get("state", self._state)
        kind = body.get("aim")
        lines: list[str] = []
        if kind == "passage":
            lines = [self._add_passage(body)]
        elif kind == "beams":
            lines = self._set_beams(body["beams"])
        elif kind == "targets":
            lines = self._set_targets(body["targets"])
        hint, before = self.hint(), self._hint
        self._hint = hint
        return [*lines, _("hint: {text}").format(text=hint)] if hint and hint != before else lines

    def _set_beams(self, beams: list[list[Any]]) -> list[str]:
        if beams == self._beams:
            return []
        self._beams = beams
        self._seen_at = self._clock()
        return self._beam_lines()

    def _set_targets(self, targets: list[Body]) -> list[str]:
        self._targets = targets
        now = self._clock()
        if not targets:
            return []
        self._seen_at = now
        self._recent.extend(targets)
        if now - self._line_at < _LINE_INTERVAL_S:
            return []
        self._line_at = now
        return ["  ".join(_target_text(target) for target in targets)]

    def _add_passage(self, body: Body) -> str:
        self._seen_at = self._clock()
        direction, cls = body["direction"], body["class"]
        self._counted[direction, cls] += 1
        if body["kmh"] is None:
            text = _("counted: {direction} {cls}, speed unknown")
        else:
            text = _("counted: {direction} {cls}, {speed} km/h")
        speed = decimal(body["kmh"] or 0, 0)
        text = text.format(direction=_(direction), cls=_(cls), speed=speed)
        self._passages.append(text)
        return text

    # --- hints for aiming

    def hint(self) -> str:
        """The next thing to do, empty if there is nothing to do."""
        state, is_quiet = DETECTOR_STATES[self._state], self._quiet_s() > _QUIET_MAX_S
        if state == "silent":
            return _("the sensor does not answer: check its supply and wires")
        if state == "misaligned":
            return _("one beam is broken without the other: turn them until both are")
        if any(blocked for blocked, _edges in self._beams) and is_quiet:
            return _("a beam stays broken: turn the sender to the receiver, clean both")
        if is_quiet:
            text = _("nothing seen for {n} s: turn the sensor to the traffic, or walk past it")
            return text.format(n=round(_QUIET_MAX_S))
        return self._average_hint()

    def _quiet_s(self) -> float:
        return self._clock() - self._seen_at

    def _average_hint(self) -> str:
        snr = [target["snr"] for target in self._recent if "snr" in target]
        if len(snr) >= _AVERAGE_TARGETS_MIN and (mean := sum(snr) / len(snr)) < _SNR_MIN:
            text = _("weak signal, SNR {snr} on average: go nearer or lower, or tilt it less")
            return text.format(snr=round(mean))
        if self._detector != "ld2451":
            return ""
        angles = [target["deg"] for target in self._recent]
        if len(angles) < _AVERAGE_TARGETS_MIN:
            return ""
        angle = sum(angles) / len(angles)
        if abs(angle) <= _ANGLE_MAX_DEG:
            return ""
        if angle > 0:
            text = _("the targets are {n} degrees to one side: turn the sensor to the right")
        else:
            text = _("the targets are {n} degrees to one side: turn the sensor to the left")
        return text.format(n=round(abs(angle)))

    # --- text

    def render(self) -> str:
        """The whole picture."""
        lines = [f"{self._detector}: {_(DETECTOR_STATES[self._state])}"]
        lines += self._beam_lines() if self._beams else self._target_lines()
        lines += ["", *(self._passages or [_("no road user counted yet")])]
        if self._hint:
            lines += ["", _("hint: {text}").format(text=self._hint)]
        return "\n".join([*lines, "", _("Ctrl-C ends")])

    def _target_lines(self) -> list[str]:
        if not self._targets:
            return ["  " + _("nothing in sight")]
        return [self._target_line(target) for target in sorted(self._targets, key=_distance)]

    def _target_line(self, target: Body) -> str:
        """The distance as a bar. A radar that knows no distance shows the speed alone."""
        if "m" not in target:
            return f"  {_target_text(target)}"
        largest = _DISTANCE_MAX_M.get(self._detector, 100)
        filled = round(_BAR_CHARACTERS * target["m"] / largest)
        bar = "#" * max(1, min(_BAR_CHARACTERS, filled))
        return f"  {bar:<{_BAR_CHARACTERS}} {_target_text(target)}"

    def _beam_lines(self) -> list[str]:
        states = {True: _("BROKEN"), False: _("clear")}
        width = max(map(len, states.values()))
        return [
            "  "
            + _("{beam}: {state}  broken {n} times").format(
                beam=_(name), state=states[bool(blocked)].ljust(width), n=edges // 2
            )
            for name, (blocked, edges) in zip(BEAMS, self._beams)
        ]

    def summary(self) -> str:
        """The counts of the whole time."""
        if not self._counted:
            return _("no road user was counted")
        counts = sorted(self._counted.items())
        parts = [f"{_(direction)} {_(cls)} {n}" for (direction, cls), n in counts]
        text = _("{n} counted: {list}")
        return text.format(n=sum(self._counted.values()), list=", ".join(parts))


def _distance(target: Body) -> float:
    return float(target.get("m", 0))


def _target_text(target: Body) -> str:
    parts = []
    if "m" in target:
        parts.append(f"{decimal(target['m'], 0 if target['m'] == int(target['m']) else 1)} m")
    parts.append(f"{decimal(target['kmh'], 0)} km/h")
    if "near" in target:
        parts.append(_("approaching") if target["near"] else _("receding"))
    if "deg" in target:
        parts.append(_("{n} degrees").format(n=f"{target['deg']:+d}"))
    if "snr" in target:
        parts.append(f"SNR {target['snr']}")
    if "mag" in target:
        parts.append(_("strength {n}").format(n=target["mag"]))
    return " ".join(parts)
