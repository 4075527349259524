"""A loose contact: a beam edge burst of 1 kHz for a second, with a pulse counter on the pins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from living import BEAM, live, planned

from simulator.run import check
from simulator.run.decode import Record
from simulator.world.beams import CHATTERS

WHY_OVERFLOW = 16
AT_S = 1900.0


def _interval(records: dict[int, Record], seconds: float) -> Record:
    first = min(record.start for record in records.values())
    return next(r for r in records.values() if r.start <= first + seconds < r.start + r.length)


def test_a_burst_is_counted_to_the_edge_and_its_loss_is_told(tmp_path: Path) -> None:
    plan = replace(planned("moderate", BEAM, hours=1.0), passages=60)
    calm = live(plan, tmp_path)
    burst = live(replace(plan, faults={"chatter_at": AT_S}), tmp_path)
    assert not check.violations(burst)
    told, quiet = burst.health["detector"], calm.health["detector"]
    assert told["hardware"] == 2, "counted by the pulse counters"
    assert told["edges"] - quiet["edges"] == 2 * CHATTERS
    missed = told["lost_edges"] + told["edge_overflow"]
    assert quiet["lost_edges"] == quiet["edge_overflow"] == 0
    marked = bool(_interval(burst.watcher.closed, AT_S).why & WHY_OVERFLOW)
    assert marked == bool(missed)
    assert check.counted(burst) == check.counted(calm), "nobody was counted for it"
