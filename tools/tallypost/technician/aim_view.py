"""The picture of `tallypost aim`: what a detector sees now, and what that says about its aim.

Pure: messages of the node in (firmware/console/live_view.py), text out. `clock()` gives seconds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tallypost.technician.health_rules import DETECTOR_STATES

Body = dict[str, Any]

_BAR = 30  # characters of the farthest target
_FARTHEST_M = {"ld2451": 100, "ld2450": 8}
_WEAK_SNR = 8
_ANGLE_DEG = 15  # half of the LD2451's lobe is 10 degrees; targets further out are lost early
_SEVERAL = 20  # targets, before an average says something
_NOTHING_S = 20.0
_SHOWN = 5  # passages
_TELL_S = 1.0  # between lines of targets where no picture is drawn


class Scene:
    """detector: as configured, `ld2451`, `beam`, ..."""

    def __init__(self, detector: str, clock: Callable[[], float]) -> None:
        self._detector = detector
        self._clock = clock
        self._seen_at = self._told_at = clock()
        self._state = 0
        self._targets: list[Body] = []
        self._beams: list[list[Any]] = []
        self._passages: deque[str] = deque(maxlen=_SHOWN)
        self._counted: Counter[tuple[str, str]] = Counter()
        self._recent: deque[Body] = deque(maxlen=100)
        self._hint = ""

    def take(self, body: Body) -> list[str]:
        """A message; what is to be told of it where no picture is drawn."""
        self._state = body.get("state", self._state)
        what = body.get("aim")
        told: list[str] = []
        if what == "passage":
            told = [self._passage(body)]
        elif what == "beams":
            changed = body["beams"] != self._beams
            self._beams = body["beams"]
            if changed:
                self._seen_at = self._clock()
                told = self._beam_lines()
        elif what == "targets":
            told = self._take_targets(body["targets"])
        hint, before = self.hint(), self._hint
        self._hint = hint
        return [*told, f"hint: {hint}"] if hint and hint != before else told

    def _take_targets(self, targets: list[Body]) -> list[str]:
        self._targets = targets
        now = self._clock()
        if not targets:
            return []
        self._seen_at = now
        self._recent.extend(targets)
        if now - self._told_at < _TELL_S:
            return []
        self._told_at = now
        return ["  ".join(_words(target) for target in targets)]

    def _passage(self, body: Body) -> str:
        self._seen_at = self._clock()
        self._counted[body["direction"], body["class"]] += 1
        speed = "speed unknown" if body["kmh"] is None else f"{body['kmh']:.0f} km/h"
        text = f"counted: {body['direction']} {body['class']}, {speed}"
        self._passages.append(text)
        return text

    # --- what it says about the aim

    def hint(self) -> str:
        """What to do about what is seen; empty if nothing."""
        if DETECTOR_STATES[self._state] == "silent":
            return "the sensor does not answer: its supply and wires"
        if DETECTOR_STATES[self._state] == "misaligned":
            return "one beam is broken without the other: turn them until both are"
        if any(blocked for blocked, _ in self._beams) and self._quiet_s() > _NOTHING_S:
            return "a beam stays broken: turn sender to receiver, clean both"
        if self._quiet_s() > _NOTHING_S:
            return f"nothing seen for {_NOTHING_S:.0f} s: turn it to the traffic, or walk by"
        return self._average_hint()

    def _quiet_s(self) -> float:
        return self._clock() - self._seen_at

    def _average_hint(self) -> str:
        snr = [target["snr"] for target in self._recent if "snr" in target]
        if len(snr) >= _SEVERAL and sum(snr) / len(snr) < _WEAK_SNR:
            return f"weak: SNR {sum(snr) / len(snr):.0f} on average; nearer, lower or less tilted"
        if self._detector != "ld2451":
            return ""
        angles = [target["deg"] for target in self._recent]
        if len(angles) >= _SEVERAL and abs(mean := sum(angles) / len(angles)) > _ANGLE_DEG:
            way = "right" if mean > 0 else "left"
            return f"angle off: targets are {abs(mean):.0f} degrees to one side; turn it {way}"
        return ""

    # --- text

    def draw(self) -> str:
        """The whole picture."""
        lines = [f"{self._detector}: {DETECTOR_STATES[self._state]}"]
        lines += self._beam_lines() if self._beams else self._bars()
        lines += ["", *(self._passages or ["nobody counted yet"])]
        if self._hint:
            lines += ["", f"hint: {self._hint}"]
        return "\n".join([*lines, "", "Ctrl-C ends"])

    def _bars(self) -> list[str]:
        if not self._targets:
            return ["  nothing in sight"]
        return [self._bar(target) for target in sorted(self._targets, key=_distance)]

    def _bar(self, target: Body) -> str:
        """Distance as a bar; a radar that knows none shows the speed alone."""
        if "m" not in target:
            return f"  {_words(target)}"
        most = _FARTHEST_M.get(self._detector, 100)
        bar = "#" * max(1, min(_BAR, round(_BAR * target["m"] / most)))
        return f"  {bar:<{_BAR}} {_words(target)}"

    def _beam_lines(self) -> list[str]:
        return [
            f"  beam {'AB'[i]}: {'BROKEN' if blocked else 'clear '}  {edges // 2} times broken"
            for i, (blocked, edges) in enumerate(self._beams)
        ]

    def summary(self) -> str:
        """What was counted meanwhile."""
        if not self._counted:
            return "nobody was counted"
        parts = [f"{way} {cls} {n}" for (way, cls), n in sorted(self._counted.items())]
        return f"{sum(self._counted.values())} counted: {', '.join(parts)}"


def _distance(target: Body) -> float:
    return float(target.get("m", 0))


def _words(target: Body) -> str:
    parts = [f"{target['m']:g} m"] if "m" in target else []
    parts.append(f"{target['kmh']:.0f} km/h")
    if "near" in target:
        parts.append("nearer" if target["near"] else "away")
    if "deg" in target:
        parts.append(f"{target['deg']:+d} deg")
    if "snr" in target:
        parts.append(f"SNR {target['snr']}")
    if "mag" in target:
        parts.append(f"strength {target['mag']}")
    return " ".join(parts)
