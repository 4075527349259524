"""`python -m tests.powerloss`: the sweep, or one cut again. Exit code 1 if a failure was found.

Without options it makes the sweep of the tests. `--all` makes every second cut as well. `--rest`
flips every bit of a log at rest.
"""

from __future__ import annotations

import argparse
import sys

from tests.powerloss.harness import (
    CUT_MODES, REST, SABOTAGES, SHARDS, STUCK, WORKLOADS, Plan, rest_plans, run, sweep_plans,
)  # fmt: skip
from tests.powerloss.test_powerloss import ONE_IN

PARTS = 60  # of an exhaustive sweep: each takes about a minute and reports its end


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.powerloss", description=__doc__)
    parser.add_argument("--all", action="store_true", help="make every second cut, not a sample")
    parser.add_argument("--rest", action="store_true", help="damage at rest, --cut: only that one")
    parser.add_argument(
        "--young", action="store_true", help="--rest: a log with its first records"
    )
    parser.add_argument("--workload", type=int, choices=range(len(WORKLOADS)))
    parser.add_argument("--cut", type=int, default=0, help="operation to cut; 0 = all")
    parser.add_argument("--mode", choices=(*CUT_MODES, STUCK), help="how; default: every mode")
    parser.add_argument("--second", type=int, default=0, help="operation after the recovery")
    parser.add_argument("--second-mode", choices=CUT_MODES)
    parser.add_argument("--sabotage", choices=SABOTAGES, default="", help="break the log first")
    return parser.parse_args()


def _plans(args: argparse.Namespace) -> list[Plan]:
    if args.rest and not args.cut:
        return rest_plans((1,) * len(WORKLOADS))
    if args.rest:
        return [
            Plan(
                args.workload or 0, cut=args.cut, sabotage=args.sabotage, program=REST,
                young=args.young,
            )
        ]  # fmt: skip
    if args.workload is None and not args.cut:
        return sweep_plans((1,) * len(WORKLOADS) if args.all else ONE_IN)
    only_first = args.cut and not args.second and args.mode != STUCK
    return [
        Plan(
            args.workload or 0,
            modes=(args.mode,) if args.mode else CUT_MODES,
            second_modes=(args.second_mode,) if args.second_mode else CUT_MODES,
            cut=args.cut,
            second=-1 if only_first else args.second,
            sabotage=args.sabotage,
            emit="bytecode",
        )
    ]


def main() -> int:
    args = _arguments()
    long = not args.cut and (args.all or args.rest or args.workload is not None)
    total = run(_plans(args), PARTS if long else SHARDS, tell=long)
    for failure in total.failures:
        print(failure, file=sys.stderr)
    print(total.summary())
    return 0 if total.clean else 1


if __name__ == "__main__":
    sys.exit(main())
