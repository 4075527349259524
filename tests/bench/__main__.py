"""`python -m tests.bench [--json]`: a table of ratios. Exit code 1 if a budget is missed."""

from __future__ import annotations

import argparse
import json
import sys

from tests.bench import radar_cost, ring_cost


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="figures and ratios as JSON")
    as_json = parser.parse_args().json
    figures, rows, details = {}, [], []
    for part in (ring_cost, radar_cost):
        measured = part.measure()
        figures |= measured
        rows += part.rows(measured)
        details += part.details(measured)
    if as_json:
        ratios = [{**vars(row), "kept": row.kept} for row in rows]
        print(json.dumps({"figures": figures, "ratios": ratios}))
    else:
        for line in [row.text() for row in rows] + details:
            print(line)
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
