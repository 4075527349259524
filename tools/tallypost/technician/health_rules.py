"""What a node says about itself, judged: one finding for each part, with the next step.

Pure: facts in, findings out. The facts are the results of the commands `check`, `identity` and
`config_get`, `config_stored` (firmware/commands/diagnostics.py); an answer of an older firmware may lack some.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PASS, WARN, FAIL = "pass", "warn", "FAIL"
Body = dict[str, Any]

# Numbers of the node, as in lib/wire/jsonform.py.
DETECTOR_STATES = (
    "unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured"
)  # fmt: skip
_TIME_SOURCES = ("none", "rtc", "ntp", "lorawan", "anchor")
_REASONS = (
    "boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config"
)  # fmt: skip

_NO_NETWORK = {201, 210, 211, 212}  # codes of ESP-IDF's wifi_err_reason_t
_WRONG_PASSWORD = {15, 202, 204}
_WEAK_DBM, _LOST_DBM = -75, -85
_HEAP_LEAST, _HEAP_SPARE = 4096, 8192
_CYCLES = 100_000  # a sector of the flash is good for
_STALE_S = 7200
_LOOKED_S = 60  # an interval younger than this says nothing about coverage
_NOISE = 0.02  # bytes that are no frame, of those that are


@dataclass(frozen=True)
class Finding:
    """state: PASS, WARN or FAIL. next: what to do, empty when there is nothing to do."""

    part: str
    state: str
    what: str
    next: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def unprovisioned(identity: Body) -> list[Finding]:
    what = f"{identity['board']}, version {identity['version']}, without an identity"
    return [Finding("node", FAIL, what, "tallypost provision")]


def judge(identity: Body, facts: Body) -> list[Finding]:
    """Everything but the beams' levels and the way to the backend."""
    return [
        _node(identity, facts), *_faults(facts), _detector(facts["detector"], identity["board"]),
        *_line(facts["detector"]), *_wifi(facts.get("wifi")), *_broker(facts.get("mqtt")),
        *_lora(facts.get("lora")), _clock(facts["clock"]), _ring(facts["ring"]),
        _heap(*facts["heap"]), *_supply(facts), *_coverage(facts["interval"], facts["uptime"]),
    ]  # fmt: skip


def passes(findings: list[Finding]) -> bool:
    return all(finding.state != FAIL for finding in findings)


def _node(identity: Body, facts: Body) -> Finding:
    what = (
        f"{identity['node']}, {identity['board']}, version {identity['version']},"
        f" up {_span(facts['uptime'])} since {facts['reset'].replace('_', ' ')}"
    )
    if facts["reset"] == "watchdog":
        return Finding("node", WARN, what, "it hung before: tallypost monitor, and report the log")
    return Finding("node", PASS, what)


def _faults(facts: Body) -> list[Finding]:
    """What the node found wrong at its start."""
    return [
        Finding("start", FAIL, f"fault {code}: {reason}", _FAULTS.get(code, "report it"))
        for code, reason in facts["faults"]
    ]


_FAULTS = {
    3: "counts are safe but not in flash: tallypost pull, then erase the ring partition",
    4: "is the board one with a radio, are its keys provisioned? link=mqtt does without",
}


def configured(in_force: Body, stored: Body | None) -> list[Finding]:
    """The configuration of this start, and of the next one."""
    if stored is None:
        return [
            Finding(
                "settings", FAIL, "what is stored is damaged: it runs with older values",
                "tallypost config set KEY=VALUE stores them anew, then reboot",
            )
        ]  # fmt: skip
    changed = [key for key in in_force if in_force[key] != stored.get(key)]
    if changed:
        what = f"changed and not in force yet: {', '.join(changed)}"
        return [Finding("settings", WARN, what, "reboot: tallypost config get --reboot")]
    return []


# --- the detector


def _detector(found: Body, board: str) -> Finding:
    kind, state = found["kind"], DETECTOR_STATES[found["state"]]
    heard = f", heard {found['heard_ms'] / 1000:.1f} s ago" if "heard_ms" in found else ""
    if state in ("ok", "quiet"):
        seen = found["stats"].get("frames_ok")
        frames = f", {seen} frames" if seen is not None else ""
        what = f"{kind} works{frames}{heard}, {found['passages']} passages"
        return Finding("detector", PASS, what)
    what, following = _TROUBLE[state]
    return Finding("detector", FAIL, f"{kind}: {what}{heard}", following.format(board=board))


_TROUBLE = {
    "unknown": ("still starting", "again in ten seconds"),
    "silent": (
        "it does not answer",
        "its 5 V, ground, TX to RX, RX to TX (boards/{board}); is detector= its model?",
    ),
    "blocked": (
        "blocked for more than a minute",
        "clear the way, clean the lens; clear and still blocked: beam_blocked_level",
    ),
    "misaligned": (
        "one beam is broken, the other one not, again and again",
        "turn sender and receiver of the beam below: tallypost aim",
    ),
    "misconfigured": (
        "it does not take its settings, or this board has no input for it",
        "power off and on; is detector= its model?",
    ),
}


def _line(found: Body) -> list[Finding]:
    """What the counters of the detector's line tell."""
    stats, findings = found["stats"], []
    frames, noise = stats.get("frames_ok", 0), stats.get("resync_bytes", 0)
    if noise > 100 and noise > _NOISE * 20 * frames:
        findings.append(
            Finding("line", WARN, f"{noise} bytes of noise, {frames} frames",
                    "a shorter or shielded cable, a common ground")
        )  # fmt: skip
    lost = stats.get("lost_edges", 0) + stats.get("edge_overflow", 0)
    if lost:
        what = f"{lost} of {stats.get('edges', 0)} edges lost"
        findings.append(Finding("line", WARN, what, "beam_debounce_ms, or a loose wire"))
    if stats.get("direction_contradicts"):
        findings.append(
            Finding("line", FAIL, "targets move against the direction the radar tells",
                    "tallypost config set radar_dir_approach=0 (or 1: the other one)")
        )  # fmt: skip
    return findings


def beams(before: list[list[Any]], now: list[list[Any]]) -> list[Finding]:
    """Whether each beam was seen clear and broken since `before`: (blocked, edges) of each."""
    return [
        _beam("AB"[i], now[i][1] - before[i][1], bool(now[i][0])) for i in range(len(now))
    ]  # fmt: skip


def _beam(name: str, edges: int, blocked: bool) -> Finding:
    part = f"beam {name}"
    if edges and not blocked:  # each is a change from one to the other
        return Finding(part, PASS, "seen clear and broken")
    if blocked:
        return Finding(
            part, FAIL, "never seen clear" if not edges else "broken now",
            "aim its sender at its receiver, tallypost aim shows when; its wire and supply",
        )  # fmt: skip
    return Finding(
        part, FAIL, "never seen broken",
        f"break it with your hand and check again; no change: the wire of input {name}",
    )  # fmt: skip


def pending_beams(before: list[list[Any]], now: list[list[Any]]) -> list[str]:
    """Names of the beams that have not been seen both ways yet."""
    return [f.part for f in beams(before, now) if f.state != PASS]


# --- the network


def _wifi(wifi: Body | None) -> list[Finding]:
    if wifi is None:
        return []
    ssid, reason = wifi["ssid"], wifi["reason"]
    if wifi["up"]:
        rssi = wifi.get("rssi")
        what = f"'{ssid}', {rssi} dBm, address {wifi.get('ip')}"
        if rssi is not None and rssi < _WEAK_DBM:
            state = FAIL if rssi < _LOST_DBM else WARN
            return [Finding("Wi-Fi", state, f"{what}: weak", "move the antenna or access point")]
        return [Finding("Wi-Fi", PASS, what)]
    if not ssid:
        return [Finding("Wi-Fi", FAIL, "no network is provisioned", "tallypost provision")]
    if reason in _WRONG_PASSWORD:
        what, following = (
            f"'{ssid}' refuses the password",
            "tallypost provision with the right one",
        )
    elif reason in _NO_NETWORK:
        what = f"there is no network '{ssid}' here"
        following = "its name and 2.4 GHz (5 GHz is not seen); nearer to the access point"
    elif reason:
        what, following = f"'{ssid}': reason {reason} of ESP-IDF", "nearer to the access point"
    else:
        what, following = f"still joining '{ssid}'", "again in half a minute"
    return [Finding("Wi-Fi", FAIL, what, following)]


def _broker(mqtt: Body | None) -> list[Finding]:
    if mqtt is None:
        return []
    where = f"{mqtt['host']}:{mqtt['port']}{' with TLS' if mqtt['tls'] else ''}"
    if mqtt["up"]:
        return [Finding("broker", PASS, f"connected to {where}")]
    error = mqtt["error"]
    if not error:
        return [Finding("broker", FAIL, f"{where}: not connected yet", "see Wi-Fi above")]
    if "code 4" in error or "code 5" in error:
        following = "user and password at the broker: tallypost provision"
    elif "code" in error:
        following = "the broker's log says why"
    else:
        following = "is it running and reachable from there? config set mqtt_host= mqtt_port="
    return [Finding("broker", FAIL, f"{where}: {error}", following)]


def _lora(lora: Body | None) -> list[Finding]:
    if lora is None:
        return []
    station = lora["station"]
    if not station["joined"]:
        return [
            Finding(
                "LoRaWAN", FAIL, "not joined",
                "keys and DevEUI at the network server; the antenna; a gateway in reach",
            )
        ]  # fmt: skip
    heard = f", {station['rssi']} dBm, SNR {station['snr']}" if station.get("rssi") else ""
    what = f"joined, data rate {station['dr']}{heard}, {lora['frames']} frames"
    return [Finding("LoRaWAN", PASS, what)]


# --- the rest


def _clock(clock: Body) -> Finding:
    source, age = _TIME_SOURCES[clock["source"]], clock["age"]
    if not clock["source"]:
        return Finding(
            "clock", FAIL, "not set", "network first; then ntp_host= must answer (UDP 123)"
        )
    if age == 0xFFFF:
        return Finding("clock", WARN, f"from {source}, not synchronised since the start",
                       "ntp_host= must answer (UDP 123)")  # fmt: skip
    what = f"from {source}, {_span(age)} ago"
    return Finding("clock", WARN if age > _STALE_S else PASS, what)


def _ring(ring: Body) -> Finding:
    if ring["storage"] != "flash":
        return Finding("log", FAIL, f"in memory alone: {ring['storage']}", _FAULTS[3])
    wear_pct = 100 * ring["opened"] / ring["sectors"] / _CYCLES
    wear = f"{wear_pct:.2f} %" if wear_pct >= 0.01 else "under 0.01 %"
    records = max(0, ring["newest"] - ring["oldest"] + 1)
    what = f"{records} records, {ring['newest'] - ring['sent']} to send, flash worn {wear}"
    if ring["corrupt"]:
        return Finding("log", WARN, f"{what}, {ring['corrupt']} damaged places",
                       "they are stepped over; if they grow, another board")  # fmt: skip
    if ring["dropped"]:
        return Finding("log", WARN, f"{what}, {ring['dropped']} lost unconfirmed",
                       "nobody confirmed them: does the backend listen?")  # fmt: skip
    return Finding("log", PASS, what)


def _heap(free: int, least: int) -> Finding:
    what = f"{free:,} bytes free, {least:,} at worst"
    if least < _HEAP_LEAST:
        return Finding("memory", FAIL, what, "reboot; if it comes again, report it")
    return Finding("memory", PASS if least >= _HEAP_SPARE else WARN, what)


def _supply(facts: Body) -> list[Finding]:
    """Only what the board can measure."""
    known = []
    if facts.get("supply_mv"):
        known.append(f"{facts['supply_mv'] / 1000:.2f} V")
    if facts.get("temp_c") is not None:
        known.append(f"{facts['temp_c']} degrees C")
    return [Finding("supply", PASS, ", ".join(known))] if known else []


def _coverage(interval: Body, uptime: int) -> list[Finding]:
    """Of the open interval, what the node was there for: it may have begun before its start."""
    length, covered = min(interval["len"], uptime), interval["cov"]
    if length < _LOOKED_S:
        return []
    what = f"{covered} of the last {length} s observed"
    if covered * 2 >= length:
        return [Finding("counting", PASS, what)]
    why = [name for i, name in enumerate(_REASONS) if interval["why"] >> i & 1]
    return [Finding("counting", FAIL, f"{what} ({', '.join(why)})", "see detector above")]


def _span(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
