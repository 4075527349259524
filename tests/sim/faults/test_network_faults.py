"""Broker, connection and name servers fail. Nothing is lost, duplicated or out of order, and the
counts are those without faults.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.run.checkers import records
from simulator.run.results.scoring import score
from tests.support.long import LONG
from tests.support.runs.living import BEAM, RADAR, live, planned, unharmed

S = 1_000_000
HOUR = 3600 * S
KEEPALIVE_S = 60


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_late_acknowledgements_lose_no_interval(node: int, tmp_path: Path) -> None:
    """2.5 to 15 s: some come after the node has given up, on a connection that is gone."""
    evidence = live(planned("puback_late", node, hours=3), tmp_path)
    quiet = unharmed(evidence, tmp_path)
    assert len(evidence.observer.connections) > len(quiet.observer.connections) == 1


def test_an_acknowledgement_two_and_a_half_seconds_late_is_waited_for(tmp_path: Path) -> None:
    plan = planned("puback_late", BEAM, hours=2)
    network_faults = replace(plan.network_faults, puback_late_us=(2_500_000, 2_500_000))
    evidence = live(replace(plan, network_faults=network_faults), tmp_path)
    unharmed(evidence, tmp_path)
    assert len(evidence.observer.connections) == 1, "the stream stays framed"


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_half_open_connections_are_given_up_within_one_and_a_half_keep_alives(
    node: int, tmp_path: Path
) -> None:
    evidence = live(planned("half_open", node, hours=3), tmp_path)
    unharmed(evidence, tmp_path)
    ended = [line for line in evidence.observer.connections if line.closed_us >= 0]
    assert len(ended) >= 4, "in each of the spans at least one"
    silent_us = max(line.silent_us for line in ended)
    assert 10 * S <= silent_us <= (1.5 * KEEPALIVE_S + 1) * S


def test_a_broker_that_refuses_for_an_hour_is_asked_ever_more_seldom(tmp_path: Path) -> None:
    plan = planned("conn_refused", BEAM)
    evidence = live(plan, tmp_path)
    unharmed(evidence, tmp_path)
    ((start, end),) = plan.network_faults.refused
    times = [t_us for t_us, _ in evidence.observer.attempts if start <= t_us < end]
    waits = [(b - a) / S for a, b in zip(times, times[1:])]
    assert 25 <= len(times) <= 120
    for i, wait in enumerate(waits):
        assert wait <= min(2 ** (i + 1), 120) + 1, "within a limit that doubles, up to 120 s"
    early, late = waits[:5], waits[10:]
    assert sum(early) / len(early) < sum(late) / len(late) / 3
    assert max(late) > 60 and max(late) - min(late) > 30, "drawn, not fixed"
    other = live(planned("conn_refused", BEAM, seed=4), tmp_path)
    theirs = {t_us // S for t_us, _ in other.observer.attempts if start <= t_us < end}
    ours = {t_us // S for t_us in times}
    assert len(ours & theirs) < len(ours) / 3, "two nodes do not come back together"


@pytest.mark.skipif(not LONG, reason="a day; TALLYPOST_LONG=1 runs it")
def test_a_broker_away_for_a_day_loses_no_interval(tmp_path: Path) -> None:
    """Every interval of the day arrives afterwards: 288 of 5 minutes."""
    plan = planned("broker_away_day", BEAM)
    evidence = live(plan, tmp_path)
    unharmed(evidence, tmp_path)
    ((start, end),) = plan.network_faults.broker_away
    began = [(record.start - plan.start_utc) * S for record in evidence.observer.closed.values()]
    assert sum(start <= t_us < end for t_us in began) == 288
    assert len(evidence.delivered) >= 27 * 12


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_dead_dns_loses_no_interval(node: int, tmp_path: Path) -> None:
    """Not a passage is missed while the node asks in vain."""
    evidence = live(planned("dns_dead", node, hours=3), tmp_path)
    unharmed(evidence, tmp_path)
    assert score(evidence.truth, evidence.observer.passages).recall == 1.0


@pytest.mark.skipif(not LONG, reason="a week; TALLYPOST_LONG=1 runs it")
@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_broker_away_for_a_week_loses_no_interval(node: int, tmp_path: Path) -> None:
    plan = planned("broker_away_week", node)
    evidence = live(plan, tmp_path)
    assert records.violations(evidence) == []
    assert evidence.order == sorted(evidence.observer.closed) and len(evidence.order) >= 7 * 96
    assert score(evidence.truth, evidence.observer.passages).recall == 1.0
    ((start, end),) = plan.network_faults.broker_away
    asked = sum(start <= t_us < end for t_us, _ in evidence.observer.attempts)
    assert 7 * 24 * 30 < asked < 7 * 24 * 90, "once a minute or so"


@pytest.mark.skipif(not LONG, reason="a day; TALLYPOST_LONG=1 runs it")
def test_wifi_that_flaps_for_a_day_loses_no_interval(tmp_path: Path) -> None:
    evidence = live(planned("wifi_flap", BEAM), tmp_path)
    unharmed(evidence, tmp_path)
    assert len(evidence.plan.network_faults.wifi_down) > 1800
