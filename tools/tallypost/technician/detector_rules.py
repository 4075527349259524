"""Findings about the detector of a node: its state, its line, its light barriers.

Pure: facts in, findings out. The facts are `detector` in the result of the command `check`
(firmware/commands/diagnostics.py).
"""

from __future__ import annotations

from typing import Any

from tallypost.i18n import N_, _, decimal
from tallypost.technician.findings import FAIL, OPEN, PASS, WARN, Body, Finding

# In the order of their numbers in lib/wire/jsonform.py.
DETECTOR_STATES = (
    N_("unknown"), N_("ok"), N_("quiet"), N_("silent"), N_("blocked"), N_("misaligned"),
    N_("misconfigured"),
)  # fmt: skip
BEAMS = N_("beam A"), N_("beam B")
DETECTOR, LINE, PASSAGES = N_("detector"), N_("line"), N_("passages")
_WORKING = DETECTOR_STATES.index("ok"), DETECTOR_STATES.index("quiet")
_NOISE_BYTES_MIN = 100  # fewer bytes of noise are normal
_NOISE_RATIO_MAX = 0.02  # noise to valid bytes
_FRAME_BYTES = 20
# By state: the observation, the next step. {board}: the folder of the board.
_TROUBLE = {
    "unknown": (N_("still starting"), N_("Check again in ten seconds.")),
    "silent": (
        N_("it does not answer"),
        N_("Check its 5 V, ground, TX to RX and RX to TX (boards/{board}), and that detector="
           " names its model."),
    ),
    "blocked": (
        N_("blocked for more than a minute"),
        N_("Clear the road, clean the lens. If it stays blocked, change beam_blocked_level."),
    ),
    "misaligned": (
        N_("one beam is broken without the other, again and again"),
        N_("Turn sender and receiver of the beam below. To watch it, run: tallypost aim"),
    ),
    "misconfigured": (
        N_("it does not accept its settings, or this board has no input for it"),
        N_("Switch the power off and on. Check that detector= names its model."),
    ),
}  # fmt: skip


def detector_findings(facts: Body, board: str) -> list[Finding]:
    """The state of the detector, its passages, and the counters of its line."""
    return [_state(facts, board), *_passages(facts), *_line(facts["stats"])]


def is_unproven(facts: Body) -> bool:
    """Whether the detector works, but nothing has passed it since the start."""
    return facts["state"] in _WORKING and not facts["passages"]


def _passages(facts: Body) -> list[Finding]:
    """A finding as long as no passage proves that detector and mounting are right."""
    if not is_unproven(facts):
        return []
    what = _("nothing has passed since the start")
    advice = _("Pass the detector, or wait for a road user. Then check again.")
    return [Finding(PASSAGES, OPEN, what, advice)]


def _state(facts: Body, board: str) -> Finding:
    kind, state = facts["kind"], DETECTOR_STATES[facts["state"]]
    received = _received(facts)
    if state not in ("ok", "quiet"):
        what, advice = _TROUBLE[state]
        return Finding(
            DETECTOR, FAIL, f"{kind}: {_(what)}{received}", _(advice).format(board=board)
        )
    parts = [_("{kind} works").format(kind=kind)]
    if (frames := facts["stats"].get("frames_ok")) is not None:
        parts.append(_("{n} frames").format(n=frames))
    passages = _("{n} passages").format(n=facts["passages"])
    return Finding(DETECTOR, PASS, f"{', '.join(parts)}{received}, {passages}")


def _received(facts: Body) -> str:
    """The age of the last frame, where the detector knows it."""
    if "heard_ms" not in facts:
        return ""
    age = decimal(facts["heard_ms"] / 1000, 1)
    return ", " + _("last frame {seconds} s ago").format(seconds=age)


def _line(stats: Body) -> list[Finding]:
    """Noise, lost edges, and a direction that contradicts the targets."""
    findings = []
    frames, noise = stats.get("frames_ok", 0), stats.get("resync_bytes", 0)
    if noise > _NOISE_BYTES_MIN and noise > _NOISE_RATIO_MAX * _FRAME_BYTES * frames:
        what = _("{bytes} bytes of noise, {frames} frames").format(bytes=noise, frames=frames)
        findings.append(
            Finding(LINE, WARN, what, _("Use a shorter or shielded cable, and a common ground."))
        )
    lost = stats.get("lost_edges", 0) + stats.get("edge_overflow", 0)
    if lost:
        what = _("{lost} of {all} edges lost").format(lost=lost, all=stats.get("edges", 0))
        findings.append(
            Finding(
                LINE, WARN, what, _("Fix loose wires. If there are none, raise beam_debounce_ms.")
            )
        )
    if stats.get("direction_contradicts"):
        findings.append(
            Finding(
                LINE, FAIL, _("targets move against the direction that the radar reports"),
                _("Run: tallypost config set radar_dir_approach=0 (or 1, the other value)"),
            )
        )  # fmt: skip
    return findings


def beam_findings(before: list[list[Any]], now: list[list[Any]]) -> list[Finding]:
    """Whether each beam was seen clear and broken since `before`: (blocked, edges) of each."""
    return [
        _beam(BEAMS[i], now[i][1] - before[i][1], bool(now[i][0])) for i in range(len(now))
    ]  # fmt: skip


def _beam(part: str, edges: int, is_blocked: bool) -> Finding:
    if edges and not is_blocked:  # each edge is a change from one to the other
        return Finding(part, PASS, _("seen clear and broken"))
    if is_blocked:
        return Finding(
            part, FAIL, _("broken now") if edges else _("never seen clear"),
            _("Aim its sender at its receiver: tallypost aim shows when it is clear. Then check"
              " its wire and supply."),
        )  # fmt: skip
    return Finding(
        part, FAIL, _("never seen broken"),
        _("Break it with your hand and check again. If nothing changes, check its wire."),
    )  # fmt: skip


def pending_beams(before: list[list[Any]], now: list[list[Any]]) -> list[str]:
    """Names of the beams that were not yet seen both clear and broken."""
    return [finding.part for finding in beam_findings(before, now) if finding.state != PASS]
