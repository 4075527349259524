"""`tallypost check`: what is judged how, and what a technician is told to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.nodes.fake_node import IDENTITY, FakeNode, Refuse, tidy
from tests.support.nodes.node_facts import CONFIG, beam_facts, facts

from tallypost import ports
from tallypost.cli import main
from tallypost.technician import check
from tallypost.technician import health_rules
from tallypost.technician.health_rules import FAIL, PASS, WARN

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_STEP_S", 0.01)
    monkeypatch.setenv("COLUMNS", "120")


def of(part: str, found: Body) -> tuple[str, str, str]:
    """State, words and next step of the worst finding of a part."""
    findings = [f for f in health_rules.judge(IDENTITY, found) if f.part == part]
    worst = max(findings, key=lambda f: (PASS, WARN, FAIL).index(f.state))
    return worst.state, worst.what, worst.next


def test_a_healthy_node_passes_in_every_part() -> None:
    for found in (facts(), beam_facts()):
        findings = health_rules.judge(IDENTITY, found)
        assert [f.state for f in findings] == [PASS] * len(findings)
        assert [f.part for f in findings] == [
            "node", "detector", "Wi-Fi", "broker", "clock", "log", "memory", "counting"
        ]  # fmt: skip
        assert not any(f.next for f in findings)


# Part, what is wrong with it, how it is judged, words of the finding, words of the next step.
TROUBLE: tuple[tuple[str, Body, str, str, str], ...] = (
    ("detector", {"detector__state": 3, "detector__heard_ms": 70_000}, FAIL,
     "ld2451: it does not answer, heard 70.0 s ago", "TX to RX"),
    ("detector", {"detector__state": 6}, FAIL, "does not take its settings", "power off and on"),
    ("detector", {"detector__state": 4}, FAIL, "blocked for more than a minute", "clear the way"),
    ("detector", {"detector__state": 5}, FAIL, "one beam is broken, the other", "tallypost aim"),
    ("detector", {"detector__state": 0}, FAIL, "still starting", "again in ten seconds"),
    ("line", {"detector__stats__resync_bytes": 9000}, WARN, "9000 bytes of noise", "cable"),
    ("line", {"detector__stats__direction_contradicts": 1}, FAIL, "against the direction",
     "config set radar_dir_approach=0"),
    ("line", {"detector__stats": {"edges": 90, "lost_edges": 4}}, WARN, "4 of 90 edges lost",
     "loose wire"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 15}, FAIL, "'street' refuses the password",
     "tallypost provision"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 202}, FAIL, "refuses the password", "provision"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 201}, FAIL, "there is no network 'street' here",
     "2.4 GHz"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 200}, FAIL, "reason 200", "access point"),
    ("Wi-Fi", {"wifi__up": False}, FAIL, "still joining 'street'", "half a minute"),
    ("Wi-Fi", {"wifi__up": False, "wifi__ssid": ""}, FAIL, "no network is prov", "provision"),
    ("Wi-Fi", {"wifi__rssi": -80}, WARN, "-80 dBm, address 192.0.2.7: weak", "antenna"),
    ("Wi-Fi", {"wifi__rssi": -90}, FAIL, "weak", "antenna"),
    ("broker", {"mqtt__up": False, "mqtt__error": "no connection in time"}, FAIL,
     "broker:1883: no connection in time", "is it running and reachable"),
    ("broker", {"mqtt__up": False, "mqtt__error": "refused by the broker, code 5"}, FAIL,
     "code 5", "user and password"),
    ("broker", {"mqtt__up": False, "mqtt__error": "refused by the broker, code 3"}, FAIL,
     "code 3", "log says why"),
    ("broker", {"mqtt__up": False}, FAIL, "not connected yet", "Wi-Fi"),
    ("clock", {"clock__source": 0, "clock__age": 65535}, FAIL, "not set", "ntp_host"),
    ("clock", {"clock__source": 1, "clock__age": 65535}, WARN, "from rtc, not synch", "ntp_host"),
    ("clock", {"clock__age": 9000}, WARN, "from ntp, 2 h ago", ""),
    ("log", {"ring__storage": "ring: format 2"}, FAIL, "in memory alone: ring: format 2", "pull"),
    ("log", {"ring__corrupt": 2}, WARN, "2 damaged places", "another board"),
    ("log", {"ring__dropped": 7}, WARN, "7 lost unconfirmed", "does the backend listen"),
    ("memory", {"heap": [9000, 3000]}, FAIL, "9,000 bytes free, 3,000 at worst", "report"),
    ("counting", {"interval__cov": 3, "interval__why": 3}, FAIL,
     "3 of the last 400 s observed (boot, silent)", "detector"),
    ("node", {"reset": "watchdog"}, WARN, "since watchdog", "tallypost monitor"),
    ("start", {"faults": [[4, "lorawan: this board has none"]]}, FAIL, "this board has none",
     "keys"),
    ("start", {"faults": [[9, "odd"]]}, FAIL, "fault 9: odd", "report it"),
)  # fmt: skip


@pytest.mark.parametrize(("part", "changes", "state", "what", "following"), TROUBLE)
def test_what_is_wrong_is_named_with_the_next_step(
    part: str, changes: Body, state: str, what: str, following: str
) -> None:
    found = of(part, facts(**changes))
    assert found[0] == state and what in found[1] and following in found[2], found
    assert health_rules.passes(health_rules.judge(IDENTITY, facts(**changes))) == (state != FAIL)


def test_an_interval_that_began_before_the_node_is_no_fault() -> None:
    found = facts(uptime=80, interval__len=700, interval__cov=70, interval__why=1)
    assert of("counting", found) == (PASS, "70 of the last 80 s observed", "")
    found = facts(uptime=30, interval__len=700, interval__cov=5, interval__why=1)
    assert "counting" not in {finding.part for finding in health_rules.judge(IDENTITY, found)}


def test_a_node_with_lorawan() -> None:
    lora: Body = {"station": {"joined": True, "dr": 5, "rssi": -97, "snr": 7.5}, "frames": 12}
    alone = facts(lora=lora, wifi=None, mqtt=None)
    assert of("LoRaWAN", alone) == (
        PASS, "joined, data rate 5, -97 dBm, SNR 7.5, 12 frames", ""
    )  # fmt: skip
    assert not {f.part for f in health_rules.judge(IDENTITY, alone)} & {"Wi-Fi", "broker"}
    lora["station"]["joined"] = False
    assert of("LoRaWAN", alone)[0] == FAIL


def test_supply_and_temperature_are_shown_where_the_board_knows_them() -> None:
    assert of("supply", facts(supply_mv=3312, temp_c=41))[1] == "3.31 V, 41 degrees C"


def test_what_is_stored_is_held_against_what_is_in_force() -> None:
    assert health_rules.configured(CONFIG, dict(CONFIG)) == []
    (changed,) = health_rules.configured(CONFIG, {**CONFIG, "site": "x"})
    assert changed.state == WARN and "site" in changed.what and "--reboot" in changed.next
    (damaged,) = health_rules.configured(CONFIG, None)
    assert damaged.state == FAIL and "damaged" in damaged.what


def test_a_beam_has_to_be_seen_clear_and_broken() -> None:
    for before, now, what in (
        ([False, 10], [False, 12], "seen clear and broken"),
        ([True, 3], [True, 3], "never seen clear"),
        ([False, 4], [False, 4], "never seen broken"),
        ([False, 0], [True, 1], "broken now"),
        ([True, 0], [False, 1], "seen clear and broken"),
    ):
        (found,) = health_rules.beams([before], [now])
        assert (found.what, found.state) == (what, PASS if "and" in what else FAIL)


# --- the whole command


def answers(*looks: Body, stored: Body | None = CONFIG, **more: Any) -> Body:
    """Of a node that `check` finds so, look after look."""
    left = list(looks)

    def look(_body: Body) -> Body:
        return left.pop(0) if len(left) > 1 else left[0]

    return {
        "check": look, "config_get": CONFIG, "config_stored": stored, **more
    }  # fmt: skip


def checked(capsys: Capture, node: FakeNode, *words: str) -> tuple[int, str, str]:
    status = main(["check", "--port", node.port, *words])
    out, err = capsys.readouterr()
    return status, tidy(out), tidy(err)


HEALTHY = """\
check of gate-1
part            what
node      pass  gate-1, esp32_generic, version 0.1.0, up 66 min since power on
detector  pass  ld2451 works, 9000 frames, heard 0.1 s ago, 12 passages
Wi-Fi     pass  'street', -61 dBm, address 192.0.2.7
broker    pass  connected to broker:1883
clock     pass  from ntp, 15 min ago
log       pass  17 records, 0 to send, flash worn under 0.01 %
memory    pass  30,000 bytes free, 12,000 at worst
counting  pass  399 of the last 400 s observed
pass: it is ready"""


def test_a_healthy_node(capsys: Capture) -> None:
    with FakeNode(answers(facts())) as node:
        assert checked(capsys, node) == (0, HEALTHY, "")
        assert node.names() == ["identity", "config_get", "config_stored", "check"]


SICK = """\
check of gate-1
part            what
node      pass  gate-1, esp32_generic, version 0.1.0, up 66 min since power on
settings  warn  changed and not in force yet: site
detector  FAIL  ld2451: it does not answer, heard 0.1 s ago
Wi-Fi     FAIL  'street' refuses the password
broker    FAIL  broker:1883: not connected yet
clock     FAIL  not set
log       pass  17 records, 0 to send, flash worn under 0.01 %
memory    pass  30,000 bytes free, 12,000 at worst
counting  pass  399 of the last 400 s observed
FAIL detector: its 5 V, ground, TX to RX, RX to TX (boards/esp32_generic); is detector= its model?
FAIL Wi-Fi: tallypost provision with the right one
FAIL broker: see Wi-Fi above
FAIL clock: network first; then ntp_host= must answer (UDP 123)
warn settings: reboot: tallypost config get --reboot
FAIL: 4 of 9 parts"""


def test_a_sick_node_is_told_part_by_part_without_waiting_for_wonders(capsys: Capture) -> None:
    sick = facts(
        wifi__up=False, wifi__reason=15, mqtt__up=False, clock__source=0, detector__state=3
    )
    with FakeNode(answers(sick, stored={**CONFIG, "site": "x"})) as node:
        assert checked(capsys, node) == (1, SICK, "")
        assert node.names().count("check") == 3, "two more looks, then it is sure"


def test_settings_that_the_node_has_no_memory_to_compare_are_a_doubt(capsys: Capture) -> None:
    with FakeNode(answers(facts(), config_stored=Refuse("no memory"))) as node:
        status, out, _ = checked(capsys, node)
    assert status == 0 and "settings  warn  not compared: PORT: no memory" in out


def test_it_waits_for_what_is_on_its_way(capsys: Capture) -> None:
    looks = (
        facts(wifi__up=False, mqtt__up=False, clock__source=0),
        facts(mqtt__up=False, clock__source=0),
        facts(clock__source=0), facts(),
    )  # fmt: skip
    with FakeNode(answers(*looks)) as node:
        assert checked(capsys, node)[0] == 0 and node.names().count("check") == 4
    with FakeNode(answers(*looks)) as node:
        assert checked(capsys, node, "--no-wait")[0] == 1 and node.names().count("check") == 1
    with FakeNode(answers(looks[0])) as node:
        assert checked(capsys, node, "--wait", "0.05")[0] == 1


def test_a_radar_that_was_not_heard_is_looked_at_again(capsys: Capture) -> None:
    quiet = facts(detector__heard_ms=9000)
    dead = facts(detector__heard_ms=11_000, detector__state=3)
    with FakeNode(answers(quiet, quiet, dead)) as node:
        status, out, _ = checked(capsys, node)
    assert status == 1 and "ld2451: it does not answer" in out


def test_every_beam_is_to_be_broken_by_hand(capsys: Capture) -> None:
    seen = [[[False, 24], [False, 24]], [[True, 25], [False, 24]], [[False, 26], [False, 24]],
            [[False, 26], [False, 26]]]  # fmt: skip
    with FakeNode(answers(*(beam_facts(detector__beams=beams) for beams in seen))) as node:
        status, out, err = checked(capsys, node)
    assert status == 0 and out.count("seen clear and broken") == 2
    assert err.splitlines() == [
        "beam A: break it with your hand, then let it go",
        "beam B: break it with your hand, then let it go",
    ]


def test_a_beam_that_nobody_breaks_or_that_is_always_broken_fails(capsys: Capture) -> None:
    with FakeNode(answers(beam_facts(detector__beams=[[True, 24], [False, 24]]))) as node:
        status, out, _ = checked(capsys, node, "--wait", "0.05")
    assert status == 1
    assert "beam A    FAIL  never seen clear" in out and "FAIL beam A: aim its sender" in out
    assert "beam B    FAIL  never seen broken" in out and "break it with your hand" in out


def test_a_board_without_identity(capsys: Capture) -> None:
    with FakeNode({"identity": {**IDENTITY, "node": ""}}) as node:
        status, out, err = checked(capsys, node)
    assert (status, err) == (1, "")
    assert out.endswith("FAIL node: tallypost provision\nFAIL: 1 of 1 parts")


def test_json_has_the_findings_and_the_facts(capsys: Capture) -> None:
    with FakeNode(answers(facts(clock__age=9000))) as node:
        status, out, _ = checked(capsys, node, "--json")
    told = json.loads(out)
    assert status == 0 and told["pass"] is True and told["node"] == "gate-1"
    assert told["facts"]["wifi"]["rssi"] == -61
    clock = next(row for row in told["findings"] if row["part"] == "clock")
    assert clock == {"part": "clock", "state": "warn", "what": "from ntp, 2 h ago", "next": ""}


def test_which_node_has_to_be_said(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["check", "--port", "x", "--node", "n"]) == 2
    assert "--port for one at hand" in capsys.readouterr().err
    monkeypatch.setattr(ports, "found", lambda: [])
    for verb in (["check"], ["aim"], ["monitor"], ["pull"], ["config", "get"]):
        assert main(verb) == 1
        assert "no board is connected. plug one in" in capsys.readouterr().err


def test_the_only_port_need_not_be_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeNode(answers(facts())) as node:
        monkeypatch.setattr(ports, "found", lambda: [ports.Port(node.port, "10c4:ea60", "", "")])
        assert main(["check"]) == 0


@pytest.mark.parametrize("host", ("h:", "h:x", ":1883"))
def test_a_bad_host_is_refused(host: str, capsys: Capture) -> None:
    assert main(["check", "--node", "n", "--host", host]) == 2
    assert "wanted HOST or HOST:PORT" in capsys.readouterr().err
