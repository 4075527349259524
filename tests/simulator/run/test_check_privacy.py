"""A record that tells more than the number of few road users is a violation."""

from __future__ import annotations

from dataclasses import replace

from simulator.run.checkers import privacy
from simulator.run.checkers.decode import Record, Spacing
from simulator.run.processes.node import Evidence
from tests.support.runs.made_run import clean


def found(evidence: Evidence, k: int) -> list[str]:
    evidence.plan = replace(evidence.plan, config={**evidence.plan.config, "privacy_k": k})
    return list(privacy.few(evidence))


def numbers_alone(record: Record) -> None:
    for first in (0, 5):
        record.counts[first : first + 5] = [0, 0, 0, 0, sum(record.counts[first : first + 5])]
    record.speeds[:] = [(0, 0), (0, 0)]
    record.histograms[:] = [{}, {}]
    record.spacing[:] = [Spacing(), Spacing()]
    record.added[:] = [0, 0]


def test_each_part_of_a_record_that_tells_more_is_found() -> None:
    evidence = clean()
    assert found(evidence, 1) == []
    assert len(found(evidence, 3)) >= 8, "of every interval, class and speed"
    for record in evidence.observer.closed.values():
        numbers_alone(record)
    assert found(evidence, 3) == []
    record = evidence.observer.closed[1]
    way = 0 if sum(record.counts[:5]) else 1
    for tell in (
        lambda: record.counts.__setitem__(5 * way, 1),
        lambda: record.speeds.__setitem__(way, (200, 1)),
        lambda: record.histograms.__setitem__(way, {5: 1}),
        lambda: record.spacing.__setitem__(way, Spacing(n=1)),
        lambda: record.added.__setitem__(way, 3),
    ):
        tell()
        (text,) = found(evidence, 4)
        assert text.startswith("interval 1: it tells more of ")
        numbers_alone(record)
