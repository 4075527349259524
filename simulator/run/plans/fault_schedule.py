"""A fault schedule: one node's plan with faults of every kind, drawn from a seed.

The seed decides everything: detector, traffic, kinds of faults, their times and lengths. They end
after three quarters of the run. Every interval closed by its end must then arrive.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from simulator.run.plans import scenario as scenarios
from simulator.run.plans.plan import HOUR_US, ROOT_TOPIC, NodePlan
from simulator.run.plans.rules import FAULT_SPANS
from simulator.run.plans.scenario import REQUESTS_PER_HOUR, Scenario
from simulator.world.network.access_network import NetworkFaults, Span

HOURS = (3.0, 5.0)
FAULTY_SHARE = 0.75  # of the run
PASSAGES = (0, 300, 2000, 5000, 9000)  # a day
HEADWAY_S = {"ld2451": 3.0, "beam": 2.0}
SHORT_S, LONG_S = 5.0, 5400.0
STORAGE_SHARE = 0.15  # of the seeds, for each of both
RETRY_H = 8.0
STEPS_S = (1, 5, 600, 3600, 86_400)
NOISE_MAX = {
    "ld2451": {"torn": 0.02, "glued": 0.02, "flipped": 0.02, "ghost": 0.01, "outlier": 0.02},
    "beam": {"bounce": 0.1},
}


def faulty_plan(seed: int, trace: Path | None = None) -> NodePlan:
    """The plan of a seed. Its name contains the seed."""
    rng = random.Random(f"storm/{seed}")
    detector = rng.choice(list(NOISE_MAX))
    hours = round(rng.uniform(*HOURS), 2)
    plan = NodePlan(
        name=f"storm-{seed}",
        detector=detector,
        seed=rng.getrandbits(32),
        hours=hours,
        passages=round(rng.choice(PASSAGES) * hours / 24),
        headway_s=HEADWAY_S[detector],
        faults={},
        network_faults=NetworkFaults(),
        power_cuts=[],
        backend_away=[],
        drift_ppb=rng.randrange(-20_000, 20_000),
        trace=trace,
        config={
            "detector": detector, "mqtt_host": "broker", "mqtt_root": ROOT_TOPIC,
            "interval_min": rng.choice((5, 15)),
        },
    )  # fmt: skip
    for kind in rng.sample(sorted(FAULT_KINDS), rng.randint(1, 6)):
        plan = FAULT_KINDS[kind](plan, kind, rng)
    return _storage(plan, seed)


def fault_free_plan(plan: NodePlan) -> NodePlan:
    """The same street, detector and traffic without faults."""
    name = f"{plan.name}-calm"
    return replace(
        plan, name=name, network_faults=NetworkFaults(), power_cuts=[], rtc_steps=[],
        backend_away=[], nvs_dead=[], ring_dead=[], trace=None,
    )  # fmt: skip


def _spans(plan: NodePlan, rng: random.Random) -> list[Span]:
    """One to four spans, from seconds to an hour and a half. They end with the faulty part of the
    run."""
    over_us = int(plan.hours * HOUR_US * FAULTY_SHARE)
    drawn = []
    for _ in range(rng.randint(1, 4)):
        length_us = int(1e6 * SHORT_S * (LONG_S / SHORT_S) ** rng.random())
        start_us = rng.randrange(over_us)
        drawn.append((start_us, min(start_us + length_us, over_us)))
    return sorted(drawn)


def _network_fault(plan: NodePlan, kind: str, rng: random.Random) -> NodePlan:
    network_faults = replace(plan.network_faults)
    setattr(network_faults, kind, sorted(getattr(network_faults, kind) + _spans(plan, rng)))
    if kind == "puback_late":
        least_us = rng.randrange(100_000, 5_000_000)
        network_faults.puback_late_us = least_us, rng.randrange(least_us, 20_000_000)
    return replace(plan, network_faults=network_faults)


def _wifi_flap(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    often = Scenario("", "", weather={"wifi_flap_s": rng.uniform(20, 600)})
    flaps = scenarios.network_faults(often, plan.hours * FAULTY_SHARE, rng).wifi_down
    down = sorted(plan.network_faults.wifi_down + flaps)
    return replace(plan, network_faults=replace(plan.network_faults, wifi_down=down))


def _power_cuts(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    most = int(REQUESTS_PER_HOUR * plan.hours * FAULTY_SHARE)
    cuts = sorted(rng.randrange(5, most) for _ in range(rng.randint(1, 20)))
    return replace(plan, power_cuts=cuts)


def _backend_away(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    return replace(plan, backend_away=_spans(plan, rng))


def _line_noise(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    most = NOISE_MAX[plan.detector]
    return replace(plan, faults={name: rng.uniform(0, share) for name, share in most.items()})


def _ntp_steps(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    """The time server is wrong, by seconds or a day, and right again before the faults end."""
    when = _moments(plan, rng)
    amounts = [rng.choice(STEPS_S) * rng.choice((-1, 1)) for _ in when[1:]]
    steps = list(zip(when, [*amounts, -sum(amounts)], strict=True))
    return replace(plan, network_faults=replace(plan.network_faults, ntp_offset_s=steps))


def _rtc_steps(plan: NodePlan, _kind: str, rng: random.Random) -> NodePlan:
    steps = [(t_us, rng.choice(STEPS_S) * rng.choice((-1, 1))) for t_us in _moments(plan, rng)]
    return replace(plan, rtc_steps=steps)


def _storage(plan: NodePlan, seed: int) -> NodePlan:
    """NVS or the log takes no writes for a while. Drawn apart: the seeds keep their other faults.

    A log in memory gives way to the flash after some hours, so such a run is longer.
    """
    rng = random.Random(f"storage/{seed}")
    if rng.random() < STORAGE_SHARE:
        plan = replace(plan, nvs_dead=_spans(plan, rng))
    if rng.random() < STORAGE_SHARE:
        plan = replace(plan, ring_dead=_spans(plan, rng)[:1], hours=plan.hours + RETRY_H)
    return plan


def _moments(plan: NodePlan, rng: random.Random) -> list[int]:
    """Two to four moments, all before the faults end, and at least a minute after the start."""
    over_us = int(plan.hours * HOUR_US * FAULTY_SHARE)
    return sorted(rng.randrange(60_000_000, over_us) for _ in range(rng.randint(2, 4)))


DrawFault = Callable[[NodePlan, str, random.Random], NodePlan]
FAULT_KINDS: dict[str, DrawFault] = {
    **dict.fromkeys(FAULT_SPANS, _network_fault),
    "wifi_flap": _wifi_flap,
    "power_cuts": _power_cuts,
    "backend_away": _backend_away,
    "noise": _line_noise,
    "ntp_steps": _ntp_steps,
    "rtc_steps": _rtc_steps,
}
