"""The same nodes at a real mosquitto."""

from __future__ import annotations

from pathlib import Path

from tests.support.runs.running import free_port, mosquitto, simulate

OPTIONS = ("--hours", "1", "--seed", "7")


def test_the_counts_at_mosquitto_are_the_same(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "allow_anonymous true", "persistence false") as port:
        real = simulate(tmp_path, *OPTIONS, "--broker", f"127.0.0.1:{port}")
    assert real.status == 0, real.out + real.err
    embedded = simulate(tmp_path, *OPTIONS)
    for at_real, at_embedded in zip(real.nodes, embedded.nodes, strict=True):
        for node in (at_real, at_embedded):  # of the moments, which differ by some milliseconds
            del node["matched"]["recall_by_chance"]
        for key in ("truth", "counted", "delivered", "matched", "intervals"):
            assert at_real[key] == at_embedded[key], key


def test_a_broker_that_refuses_is_one_clear_line(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "allow_anonymous false") as port:
        ran = simulate(tmp_path, *OPTIONS, "--broker", f"127.0.0.1:{port}")
    assert ran.status == 2
    last = ran.err.splitlines()[-1]
    assert f"127.0.0.1:{port}" in last and "refuses" in last
    assert "Traceback" not in ran.err


def test_a_port_without_a_broker_is_one_clear_line(tmp_path: Path) -> None:
    port = free_port()
    ran = simulate(tmp_path, *OPTIONS, "--broker", f"127.0.0.1:{port}")
    assert ran.status == 2
    assert f"127.0.0.1:{port}: Connection refused" in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
