"""`tallypost check`: each finding about a node, and its next step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.nodes.fake_node import IDENTITY, FakeNode, Refuse, tidy
from tests.support.nodes.node_facts import CONFIG, beam_facts, facts
from tests.tools import golden_output

from tallypost import ports
from tallypost.cli import main
from tallypost.i18n import LANGUAGES
from tallypost.technician import check, detector_rules, health_rules
from tallypost.technician.findings import FAIL, OPEN, PASS, WARN, passes

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_STEP_S", 0.01)
    monkeypatch.setenv("COLUMNS", "120")


def of(part: str, found: Body) -> tuple[str, str, str]:
    """(state, text, next step) of the worst finding about a part."""
    findings = [f for f in health_rules.evaluate(IDENTITY, found) if f.part == part]
    worst = max(findings, key=lambda f: (PASS, WARN, OPEN, FAIL).index(f.state))
    return worst.state, worst.what, worst.next


def test_a_healthy_node_passes_in_every_part() -> None:
    for found in (facts(), beam_facts()):
        findings = health_rules.evaluate(IDENTITY, found)
        assert [f.state for f in findings] == [PASS] * len(findings)
        assert [f.part for f in findings] == [
            "node", "detector", "Wi-Fi", "broker", "clock", "log", "confirmed", "memory",
            "counting",
        ]  # fmt: skip
        assert not any(f.next for f in findings)


# Part, changed facts, state, words of the finding, words of the next step.
TROUBLE: tuple[tuple[str, Body, str, str, str], ...] = (
    ("detector", {"detector__state": 3, "detector__heard_ms": 70_000}, FAIL,
     "ld2451: it does not answer, last frame 70.0 s ago", "TX to RX"),
    ("detector", {"detector__state": 6}, FAIL, "does not accept its settings", "power off and on"),
    ("detector", {"detector__state": 4}, FAIL, "blocked for more than a minute", "Clear the road"),
    ("detector", {"detector__state": 5}, FAIL, "one beam is broken without", "tallypost aim"),
    ("detector", {"detector__state": 0}, FAIL, "still starting", "again in ten seconds"),
    ("line", {"detector__stats__resync_bytes": 9000}, WARN, "9000 bytes of noise", "cable"),
    ("line", {"detector__stats__direction_contradicts": 1}, FAIL, "against the direction",
     "config set radar_dir_approach=0"),
    ("line", {"detector__stats": {"edges": 90, "lost_edges": 4}}, WARN, "4 of 90 edges lost",
     "loose wires"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 15}, FAIL, "'street' refuses the password",
     "tallypost provision"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 202}, FAIL, "refuses the password", "provision"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 201}, FAIL, "there is no network 'street' here",
     "2.4 GHz"),
    ("Wi-Fi", {"wifi__up": False, "wifi__reason": 200}, FAIL, "reason 200", "access point"),
    ("Wi-Fi", {"wifi__up": False}, FAIL, "still joining 'street'", "half a minute"),
    ("Wi-Fi", {"wifi__up": False, "wifi__ssid": ""}, FAIL, "no network is prov", "provision"),
    ("Wi-Fi", {"wifi__rssi": -80}, WARN, "-80 dBm, address 192.0.2.7: the signal is weak",
     "antenna"),
    ("Wi-Fi", {"wifi__rssi": -90}, FAIL, "the signal is weak", "antenna"),
    ("broker", {"mqtt__up": False, "mqtt__error": "no connection in time"}, FAIL,
     "broker:1883: no connection in time", "Check that it runs"),
    ("broker", {"mqtt__up": False, "mqtt__error": "refused by the broker, code 5"}, FAIL,
     "code 5", "user and password"),
    ("broker", {"mqtt__up": False, "mqtt__error": "refused by the broker, code 3"}, FAIL,
     "code 3", "log of the broker"),
    ("broker", {"mqtt__up": False}, FAIL, "not connected yet", "Wi-Fi"),
    ("broker", {"mqtt__tls": 0}, WARN, "connected to broker:1883 in plain text",
     "without --insecure-plain"),
    ("broker", {"mqtt__signs": False}, WARN, "the broker can forge counts", "--out"),
    ("Wi-Fi", {"wifi__open": True}, WARN, "'street' is open: anybody", "has a password"),
    ("passages", {"detector__passages": 0}, OPEN, "nothing has passed since the start",
     "Pass the detector"),
    ("confirmed", {"ring__confirmed": 0}, WARN, "no record is confirmed by a backend",
     "tallypost listen"),
    ("confirmed", {"ring__confirmed": 8}, WARN, "up to record 8 of 17", "tallypost listen"),
    ("clock", {"clock__source": 0, "clock__age": 65535}, FAIL, "not set", "ntp_host"),
    ("clock", {"clock__source": 1, "clock__age": 65535}, WARN, "from RTC, not synch", "ntp_host"),
    ("clock", {"clock__age": 9000}, WARN, "from NTP, 2 h ago", "ntp_host"),
    ("log", {"ring__storage": "ring: format 2"}, FAIL, "in memory only: ring: format 2", "pull"),
    ("log", {"ring__corrupt": 2}, WARN, "2 damaged places", "replace the board"),
    ("log", {"ring__dropped": 7}, WARN, "7 lost before they were", "the backend listens"),
    ("memory", {"heap": [9000, 3000]}, FAIL, "9,000 bytes free, 3,000 at the lowest", "report"),
    ("counting", {"interval__cov": 3, "interval__why": 3}, FAIL,
     "3 of the last 400 s observed (boot, silent)", "detector"),
    ("node", {"reset": "watchdog"}, WARN, "last reset: watchdog", "tallypost monitor"),
    ("start", {"faults": [[4, "lorawan: this board has none"]]}, FAIL, "this board has none",
     "keys"),
    ("start", {"faults": [[9, "odd"]]}, FAIL, "fault 9: odd", "report the fault"),
)  # fmt: skip


@pytest.mark.parametrize(("part", "changes", "state", "what", "following"), TROUBLE)
def test_each_trouble_is_found_with_its_next_step(
    part: str, changes: Body, state: str, what: str, following: str
) -> None:
    found = of(part, facts(**changes))
    assert found[0] == state and what in found[1] and following in found[2], found
    assert passes(health_rules.evaluate(IDENTITY, facts(**changes))) == (state in (PASS, WARN))


def test_coverage_counts_from_the_start_of_the_node() -> None:
    found = facts(uptime=80, interval__len=700, interval__cov=70, interval__why=1)
    assert of("counting", found) == (PASS, "70 of the last 80 s observed", "")
    found = facts(uptime=30, interval__len=700, interval__cov=5, interval__why=1)
    assert "counting" not in {finding.part for finding in health_rules.evaluate(IDENTITY, found)}


def test_a_node_with_lorawan_alone_has_no_findings_about_wifi_and_broker() -> None:
    lora: Body = {"station": {"joined": True, "dr": 5, "rssi": -97, "snr": 7.5}, "frames": 12}
    alone = facts(lora=lora, wifi=None, mqtt=None)
    assert of("LoRaWAN", alone) == (
        PASS, "joined, data rate 5, -97 dBm, SNR 7.5, 12 frames", ""
    )  # fmt: skip
    assert not {f.part for f in health_rules.evaluate(IDENTITY, alone)} & {"Wi-Fi", "broker"}
    lora["station"]["joined"] = False
    assert of("LoRaWAN", alone)[0] == FAIL


def test_supply_and_temperature_are_shown_where_the_board_measures_them() -> None:
    assert of("supply", facts(supply_mv=3312, temp_c=41))[1] == "3.31 V, 41 degrees C"


def test_the_stored_configuration_is_compared_with_the_one_in_force() -> None:
    assert health_rules.config_findings(CONFIG, dict(CONFIG)) == []
    (changed,) = health_rules.config_findings(CONFIG, {**CONFIG, "site": "x"})
    assert changed.state == WARN and "site" in changed.what and "--reboot" in changed.next
    (damaged,) = health_rules.config_findings(CONFIG, None)
    assert damaged.state == FAIL and "damaged" in damaged.what


def test_a_beam_has_to_be_seen_clear_and_broken() -> None:
    for before, now, what in (
        ([False, 10], [False, 12], "seen clear and broken"),
        ([True, 3], [True, 3], "never seen clear"),
        ([False, 4], [False, 4], "never seen broken"),
        ([False, 0], [True, 1], "broken now"),
        ([True, 0], [False, 1], "seen clear and broken"),
    ):
        (found,) = detector_rules.beam_findings([before], [now])
        assert (found.what, found.state) == (what, PASS if "and" in what else FAIL)


# --- the whole command


def answers(*looks: Body, stored: Body | None = CONFIG, **more: Any) -> Body:
    """The answers of a node with these facts, one after the other."""
    left = list(looks)

    def look(_body: Body) -> Body:
        return left.pop(0) if len(left) > 1 else left[0]

    return {"check": look, "config_get": CONFIG, "config_stored": stored, **more}


def checked(capsys: Capture, node: FakeNode, *words: str) -> tuple[int, str, str]:
    status = main(["check", "--port", node.port, *words])
    out, err = capsys.readouterr()
    return status, tidy(out), tidy(err)


NTP_MUST_ANSWER = "The server of ntp_host= must answer (UDP port 123)."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_healthy_node_passes_with_one_look(language: str, capsys: Capture) -> None:
    with FakeNode(answers(facts())) as node:
        status, out, err = checked(capsys, node, "--lang", language)
        assert (status, err) == (0, "")
        assert node.names() == ["identity", "config_get", "config_stored", "check"]
    golden_output.check(language, "check_healthy", out)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sick_node_fails_part_by_part_without_a_long_wait(
    language: str, capsys: Capture
) -> None:
    sick = facts(
        wifi__up=False, wifi__reason=15, mqtt__up=False, clock__source=0, detector__state=3
    )
    with FakeNode(answers(sick, stored={**CONFIG, "site": "x"})) as node:
        status, out, err = checked(capsys, node, "--lang", language)
        assert (status, err) == (1, "")
        assert node.names().count("check") == 3, "two more looks decide"
    golden_output.check(language, "check_sick", out)


def test_settings_that_the_node_has_no_memory_to_compare_are_a_warning(capsys: Capture) -> None:
    with FakeNode(answers(facts(), config_stored=Refuse("no memory"))) as node:
        status, out, _ = checked(capsys, node)
    assert status == 0 and "settings   warn  not compared: PORT: no memory" in out


def test_check_waits_for_parts_that_are_not_ready_yet(capsys: Capture) -> None:
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


def test_a_silent_radar_is_looked_at_again(capsys: Capture) -> None:
    quiet = facts(detector__heard_ms=9000)
    dead = facts(detector__heard_ms=11_000, detector__state=3)
    with FakeNode(answers(quiet, quiet, dead)) as node:
        status, out, _ = checked(capsys, node)
    assert status == 1 and "ld2451: it does not answer" in out


def test_every_beam_has_to_be_broken_by_hand(capsys: Capture) -> None:
    seen = [[[False, 24], [False, 24]], [[True, 25], [False, 24]], [[False, 26], [False, 24]],
            [[False, 26], [False, 26]]]  # fmt: skip
    with FakeNode(answers(*(beam_facts(detector__beams=beams) for beams in seen))) as node:
        status, out, err = checked(capsys, node)
    assert status == 0 and out.count("seen clear and broken") == 2
    assert err.splitlines() == [
        "beam A: break it with your hand, then let it go",
        "beam B: break it with your hand, then let it go",
    ]


def test_a_beam_that_is_never_broken_or_always_broken_fails(capsys: Capture) -> None:
    with FakeNode(answers(beam_facts(detector__beams=[[True, 24], [False, 24]]))) as node:
        status, out, _ = checked(capsys, node, "--wait", "0.05")
    assert status == 1
    assert "beam A     FAIL  never seen clear" in out and "FAIL beam A: Aim its sender" in out
    assert "beam B     FAIL  never seen broken" in out and "Break it with your hand" in out


def test_a_board_without_identity_fails_with_the_command_to_provision(capsys: Capture) -> None:
    with FakeNode({"identity": {**IDENTITY, "node": ""}}) as node:
        status, out, err = checked(capsys, node)
    assert (status, err) == (1, "")
    assert out.endswith("FAIL node: Run: tallypost provision\nFAIL: 1 of 1 parts failed.")


def test_json_has_the_findings_and_the_facts(capsys: Capture) -> None:
    with FakeNode(answers(facts(clock__age=9000))) as node:
        status, out, _ = checked(capsys, node, "--json")
    told = json.loads(out)
    assert status == 0 and told["pass"] is True and told["node"] == "gate-1"
    assert told["facts"]["wifi"]["rssi"] == -61
    clock = next(row for row in told["findings"] if row["part"] == "clock")
    assert clock == {
        "part": "clock",
        "state": "warn",
        "what": "from NTP, 2 h ago",
        "next": NTP_MUST_ANSWER,
    }


def test_without_one_node_named_check_is_refused(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["check", "--port", "x", "--node", "n"]) == 2
    assert "Give --port for a node at hand" in capsys.readouterr().err
    monkeypatch.setattr(ports, "usb_ports", lambda: [])
    for verb in (["check"], ["aim"], ["monitor"], ["pull"], ["config", "get"]):
        assert main(verb) == 1
        assert "No board is connected. Plug one in" in capsys.readouterr().err


def test_the_only_port_need_not_be_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeNode(answers(facts())) as node:
        monkeypatch.setattr(
            ports, "usb_ports", lambda: [ports.Port(node.port, "10c4:ea60", "", "")]
        )
        assert main(["check"]) == 0


@pytest.mark.parametrize("host", ("h:", "h:x", ":1883"))
def test_a_bad_host_is_refused(host: str, capsys: Capture) -> None:
    assert main(["check", "--node", "n", "--host", host]) == 2
    assert "Give HOST or HOST:PORT" in capsys.readouterr().err


def test_a_node_that_nothing_has_passed_is_not_ready(capsys: Capture) -> None:
    with FakeNode(answers(facts(detector__passages=0))) as node:
        status, out, _ = checked(capsys, node, "--wait", "0.05")
    assert status == 1 and "passages   open  nothing has passed since the start" in out
    assert out.endswith("open: The node is not ready yet. Not proven: passages")
    with FakeNode(answers(facts(detector__passages=0))) as node:
        status, out, _ = checked(capsys, node, "--no-wait", "--json")
    assert status == 1 and json.loads(out)["pass"] is False
    with FakeNode(answers(facts(detector__passages=0), facts(detector__passages=1))) as node:
        assert checked(capsys, node)[0] == 0, "it waits for the first passage"


def test_a_warning_is_named_beside_the_verdict(capsys: Capture) -> None:
    with FakeNode(answers(facts(ring__confirmed=0))) as node:
        status, out, _ = checked(capsys, node)
    assert status == 0
    assert out.endswith("pass: The node is ready, with warnings about: confirmed")


def test_the_observed_share_has_figures_that_can_be() -> None:
    """After a restart the restored interval is longer than the node is up."""
    interval = {"start": 1_800_000_000, "len": 500, "cov": 463, "why": 1 << 6}
    for why in (interval["why"], 0):
        found = facts(uptime=309, interval={**interval, "why": why})
        assert of("counting", found)[:2] == (PASS, "463 of the last 500 s observed")
    new = facts(uptime=100, interval={**interval, "cov": 95, "why": 1})
    assert of("counting", new)[:2] == (PASS, "95 of the last 100 s observed")
