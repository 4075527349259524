"""A simulated node signs its records: forged ones are refused, and the audit finds changes."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.runs.living import BEAM, RADAR, live, planned

from simulator.run.backends import mqtt
from simulator.run.plans.plan import NodePlan
from simulator.world.network.broker import Broker
from tallypost import cli

HOURS = 1


class Forger(Broker):
    """Another client, which is faster: it sends each message of counts with false contents."""

    def publish(self, t_us: int, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        if topic.endswith("/counts"):
            for forged in (_raised(payload), _raised(_unsigned(payload))):
                assert forged != payload
                super().publish(t_us, topic, forged, 1, False)
        super().publish(t_us, topic, payload, qos, retain)


def _raised(payload: bytes) -> bytes:
    return payload.replace(b'"pedestrian":', b'"pedestrian":5')


def _unsigned(payload: bytes) -> bytes:
    return re.sub(rb',"mac":"[0-9a-f]{32}"', b"", payload)


def _audit(plan: NodePlan, folder: Path) -> int:
    keys = folder / "mac_keys.json"
    keys.write_text(json.dumps({plan.name: mqtt.mac_key(plan).hex()}))
    database = str(folder / f"{plan.name}.sqlite")
    return cli.main(["audit", "--db", database, "--mac-keys", str(keys)])


@pytest.mark.parametrize("node", (RADAR, BEAM))
def test_a_forged_record_does_not_replace_the_true_one(
    node: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned("kind", node, hours=HOURS)
    (tmp_path / "true").mkdir()
    true = live(plan, tmp_path / "true").delivered
    monkeypatch.setattr(mqtt, "Broker", Forger)
    forged = live(plan, tmp_path)
    assert len(true) >= 4
    assert {n: body["counts"] for n, body in forged.delivered.items()} == {
        n: body["counts"] for n, body in true.items()
    }
    assert forged.backend.anomalies["quarantine"] >= 2 * len(true)
    assert _audit(plan, tmp_path) == 0


@pytest.mark.parametrize(
    "change",
    (
        "UPDATE records SET body = replace(body, 'pedestrian\":', 'pedestrian\":5') WHERE seq = 3",
        "DELETE FROM records WHERE seq = 3",
        "UPDATE records SET seq = 99 WHERE seq = 3",
    ),
)
def test_the_audit_sees_what_was_changed_later(change: str, tmp_path: Path) -> None:
    plan = planned("kind", BEAM, hours=HOURS)
    live(plan, tmp_path)
    assert _audit(plan, tmp_path) == 0
    with closing(sqlite3.connect(tmp_path / f"{plan.name}.sqlite")) as db:
        assert db.execute(change).rowcount == 1
        db.commit()
    assert _audit(plan, tmp_path) == 1
