"""A storm: one node's plan with troubles of every kind, drawn from a seed, and then calm.

The seed decides everything: detector, traffic, which troubles, when and how long. They are over
after three quarters of the run; what is closed by its end must then arrive.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from simulator.run.plans import scenario as scenarios
from simulator.run.plans.plan import HOUR_US, ROOT_TOPIC, NodePlan
from simulator.run.plans.scenario import REQUESTS_PER_HOUR, SPANS, Scenario
from simulator.world.network.access_network import Span, Weather

HOURS = (3.0, 5.0)
STORM = 0.75  # of the run
PASSAGES = (0, 300, 2000, 5000, 9000)  # a day
HEADWAY_S = {"ld2451": 3.0, "beam": 2.0}
SHORT_S, LONG_S = 5.0, 5400.0
STEPS_S = (1, 5, 600, 3600, 86_400)
NOISE = {
    "ld2451": {"torn": 0.02, "glued": 0.02, "flipped": 0.02, "ghost": 0.01, "outlier": 0.02},
    "beam": {"bounce": 0.1},
}


def storm(seed: int, trace: Path | None = None) -> NodePlan:
    """The plan of a seed; its name tells the seed."""
    rng = random.Random(f"storm/{seed}")
    detector = rng.choice(list(NOISE))
    hours = round(rng.uniform(*HOURS), 2)
    plan = NodePlan(
        name=f"storm-{seed}",
        detector=detector,
        seed=rng.getrandbits(32),
        hours=hours,
        passages=round(rng.choice(PASSAGES) * hours / 24),
        headway_s=HEADWAY_S[detector],
        faults={},
        weather=Weather(),
        power_cuts=[],
        backend_away=[],
        drift_ppb=rng.randrange(-20_000, 20_000),
        trace=trace,
        config={
            "detector": detector, "mqtt_host": "broker", "mqtt_root": ROOT_TOPIC,
            "interval_min": rng.choice((5, 15)),
        },
    )  # fmt: skip
    for kind in rng.sample(sorted(TROUBLES), rng.randint(1, 6)):
        plan = TROUBLES[kind](plan, kind, rng)
    return plan


def calm(plan: NodePlan) -> NodePlan:
    """The same street, detector and traffic without the storm."""
    name = f"{plan.name}-calm"
    return replace(
        plan, name=name, weather=Weather(), power_cuts=[], rtc_steps=[], backend_away=[],
        trace=None,
    )  # fmt: skip


def _spans(plan: NodePlan, rng: random.Random) -> list[Span]:
    """One to four spans, from seconds to an hour and a half, over before the calm."""
    over_us = int(plan.hours * HOUR_US * STORM)
    drawn = []
    for _ in range(rng.randint(1, 4)):
        length_us = int(1e6 * SHORT_S * (LONG_S / SHORT_S) ** rng.random())
        start_us = rng.randrange(over_us)
        drawn.append((start_us, min(start_us + length_us, over_us)))
    return sorted(drawn)


def _weather(plan: NodePlan, kind: str, rng: random.Random) -> NodePlan:
    weather = replace(plan.weather)
    setattr(weather, kind, sorted(getattr(weather, kind) + _spans(plan, rng)))
    if kind == "puback_late":
        least_us = rng.randrange(100_000, 5_000_000)
        weather.puback_late_us = least_us, rng.randrange(least_us, 20_000_000)
    return replace(plan, weather=weather)


def _flap(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    often = Scenario("", "", weather={"wifi_flap_s": rng.uniform(20, 600)})
    flaps = scenarios.weather(often, plan.hours * STORM, rng).wifi_down
    down = sorted(plan.weather.wifi_down + flaps)
    return replace(plan, weather=replace(plan.weather, wifi_down=down))


def _cuts(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    most = int(REQUESTS_PER_HOUR * plan.hours * STORM)
    cuts = sorted(rng.randrange(5, most) for _ in range(rng.randint(1, 20)))
    return replace(plan, power_cuts=cuts)


def _backend(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    return replace(plan, backend_away=_spans(plan, rng))


def _noise(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    most = NOISE[plan.detector]
    return replace(plan, faults={name: rng.uniform(0, share) for name, share in most.items()})


def _ntp_steps(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    """The time server is wrong, by seconds or a day, and right again before the calm."""
    when = _moments(plan, rng)
    amounts = [rng.choice(STEPS_S) * rng.choice((-1, 1)) for _ in when[1:]]
    steps = list(zip(when, [*amounts, -sum(amounts)], strict=True))
    return replace(plan, weather=replace(plan.weather, ntp_offset_s=steps))


def _rtc_steps(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    steps = [(t_us, rng.choice(STEPS_S) * rng.choice((-1, 1))) for t_us in _moments(plan, rng)]
    return replace(plan, rtc_steps=steps)


def _moments(plan: NodePlan, rng: random.Random) -> list[int]:
    """Two to four, all in the storm, and a minute after the start."""
    over_us = int(plan.hours * HOUR_US * STORM)
    return sorted(rng.randrange(60_000_000, over_us) for _ in range(rng.randint(2, 4)))


Trouble = Callable[[NodePlan, str, random.Random], NodePlan]
TROUBLES: dict[str, Trouble] = {
    **dict.fromkeys(SPANS, _weather),
    "wifi_flap": _flap,
    "power_cuts": _cuts,
    "backend_away": _backend,
    "noise": _noise,
    "ntp_steps": _ntp_steps,
    "rtc_steps": _rtc_steps,
}
