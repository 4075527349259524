"""Starts the sweeps inside MicroPython, several at a time, and adds up their results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEVICE = ROOT / "tests" / "powerloss" / "device"
HEAP = "1m"
SHARDS = 2

# sectors, bytes a sector, seed of the steps, longest payload
WORKLOADS = ((8, 256, 1, 48), (12, 256, 2, 60), (16, 512, 3, 120))
CUT_MODES = ("none", "half", "part", "tail", "random", "flip", "done")
STUCK = "stuck"
REST = "rest"
SABOTAGES = (
    "no-checksum", "reuses-torn-space", "late", "state-of-newest-only", "erases-too-early",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One sweep over one workload.

    one_in: of so many possible second cuts one is made. cut, second: only that operation (0 =
    all, second -1 = none). stop: at the first failure. emit: code of the log and the suite,
    `native` (a fifth faster) or `bytecode`, as on the chip. program: `sweep`, or `rest` for
    damage at rest. young: a log with its first records alone.
    """

    workload: int
    modes: tuple[str, ...] = CUT_MODES
    second_modes: tuple[str, ...] = CUT_MODES
    one_in: int = 1
    cut: int = 0
    second: int = 0
    stop: bool = False
    sabotage: str = ""
    emit: str = "native"
    shard: tuple[int, int] = (0, 1)
    program: str = "sweep"
    young: bool = False

    def options(self) -> str:
        options: dict[str, object] = dict(vars(self))
        options["workload"] = WORKLOADS[self.workload]
        return json.dumps(options)


@dataclass
class Total:
    """Results of all sweeps. `failures` are lines to print."""

    cuts: int = 0
    operations: int = 0
    lost: int = 0
    wrong: int = 0
    resurrected: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.failures or self.lost or self.wrong or self.resurrected)

    def summary(self) -> str:
        rate = round(self.cuts * 60 / self.seconds) if self.seconds else 0
        return (
            f"cuts={self.cuts} lost={self.lost} wrong={self.wrong} "
            f"resurrected={self.resurrected} cuts_per_minute={rate}"
        )


def run(plans: Sequence[Plan], shards: int = SHARDS, *, tell: bool = False) -> Total:
    """Run every plan in so many parts, `SHARDS` at a time. tell: show the progress on stderr."""
    parts = [replace(p, shard=(i, shards)) for p in plans if not p.cut for i in range(shards)]
    parts += [p for p in plans if p.cut]
    total = Total()
    began = time.monotonic()
    with ThreadPoolExecutor(SHARDS) as pool:
        for done, (plan, output) in enumerate(zip(parts, pool.map(_run_one, parts)), 1):
            _add(total, plan, output)
            if tell:
                print(f"{done}/{len(parts)}: {total.cuts} cuts", file=sys.stderr, flush=True)
    total.seconds = time.monotonic() - began
    return total


def _run_one(plan: Plan) -> str:
    micropython = Path(sys.executable).parent / "micropython"
    env = {**os.environ, "MICROPYPATH": f"{DEVICE}:{ROOT / 'lib'}:.frozen"}
    result = subprocess.run(
        [str(micropython), "-X", f"heapsize={HEAP}", "-X", f"emit={plan.emit}",
         str(DEVICE / f"{plan.program}.py")],
        input=plan.options(), env=env, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        text = (result.stdout + result.stderr)[-2000:]
        return json.dumps({"kind": "stopped", "text": text, "path": []})
    return result.stdout


def _add(total: Total, plan: Plan, output: str) -> None:
    for line in output.splitlines():
        found = json.loads(line)
        if "kind" in found:
            total.failures.append(
                f"{found['kind']}: {found['text']}\n  {reproduction(plan, found['path'])}"
            )
            continue
        total.cuts += found["cuts"]
        total.operations += found["operations"] if plan.shard[0] == 0 else 0
        total.lost += found["lost"]
        total.wrong += found["wrong"]
        total.resurrected += found["resurrected"]


def reproduction(plan: Plan, path: Sequence[tuple[int, str]]) -> str:
    """The command that makes these cuts and no others."""
    words = ["python -m tests.powerloss", f"--workload {plan.workload}"]
    if plan.program == REST:
        words += ["--rest --young" if plan.young else "--rest"]
        words += [f"--cut {number}" for number, _ in path]
        path = ()
    names = (("--cut", "--mode"), ("--second", "--second-mode"))
    for (operation, mode), (number, how) in zip(path, names):
        words += [f"{number} {operation}", f"{how} {mode}"]
    if plan.sabotage:
        words.append(f"--sabotage {plan.sabotage}")
    return " ".join(words)


def rest_plans(one_in: tuple[int, ...]) -> list[Plan]:
    """Damage at rest: of each workload with a number in `one_in`, one bit in so many."""
    plans = [Plan(i, one_in=share, program=REST) for i, share in enumerate(one_in)]
    return plans + [replace(plan, young=True) for plan in plans]


def sweep_plans(one_in: tuple[int, ...]) -> list[Plan]:
    """A sweep of each workload with a number in `one_in`. Stuck bits only if they can be survived.

    With two state sectors there is no spare one for an opening that fails.
    """
    plans = []
    for index, share in enumerate(one_in):
        stuck = (STUCK,) if WORKLOADS[index][0] >= 12 else ()
        plans.append(Plan(index, modes=CUT_MODES + stuck, one_in=share))
    return plans
