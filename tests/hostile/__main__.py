"""`make hostile`: all fuzzers, or those of ONLY=, with N inputs each from a seed."""

from __future__ import annotations

import argparse
import json
import sys

from tests.hostile.harness import ON_DEVICE, Figures, run_on_device
from tests.tools.backend.fuzz_collector import run as run_collector

GROWTH_MAX_KB = 20_000


def run(name: str, n: int, seed: int) -> Figures:
    """The figures of one fuzzer. Raises for an exception, a hang or growing memory."""
    if name != "collector":
        return run_on_device(name, n, seed)
    found = run_collector(n, seed)
    early_kb, late_kb = found["memory_kb"]
    assert found["acknowledged"] == n, found
    assert late_kb - early_kb < GROWTH_MAX_KB, found
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="make hostile")
    parser.add_argument("--n", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join((*ON_DEVICE, "collector")))
    args = parser.parse_args()
    failed = False
    for name in args.only.split(","):
        try:
            text = json.dumps(run(name, args.n, args.seed), sort_keys=True)
        except Exception as error:  # the other fuzzers have their say
            failed = True
            text = f"FAILED: {error}\nmake hostile ONLY={name} N={args.n} SEED={args.seed}"
        sys.stdout.write(f"{name}: {text}\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
