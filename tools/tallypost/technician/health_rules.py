"""Findings about everything that a node reports about itself, each with the next step.

Pure: facts in, findings out. The facts are the results of the commands `check`, `identity`,
`config_get` and `config_stored` (firmware/commands/diagnostics.py). An older firmware may leave
some of them out.
"""

from __future__ import annotations

from tallypost.i18n import N_, _, decimal, grouped
from tallypost.technician.detector_rules import detector_findings
from tallypost.technician.findings import FAIL, PASS, WARN, Body, Finding

# Parts of a node: keys of the JSON.
NODE, START, SETTINGS, WIFI, BROKER = (
    N_("node"), N_("start"), N_("settings"), N_("Wi-Fi"), N_("broker")
)  # fmt: skip
LORAWAN, CLOCK, LOG, CONFIRMED, MEMORY, SUPPLY, COUNTING = (
    N_("LoRaWAN"), N_("clock"), N_("log"), N_("confirmed"), N_("memory"), N_("supply"),
    N_("counting"),
)  # fmt: skip
# Words of the node, in the order of their numbers in lib/wire/jsonform.py and lib/wire/record.py.
_TIME_SOURCES = (N_("none"), "RTC", "NTP", "LoRaWAN", N_("anchor"))
_REASONS = (
    N_("boot"), N_("silent"), N_("blocked"), N_("misconfigured"), N_("overflow"), N_("clock"),
    N_("restored"), N_("config"), N_("forward_unseen"), N_("backward_unseen"), N_("line_unseen"),
    N_("silence"),
)  # fmt: skip
_RESETS = {
    "unknown": N_("unknown"), "power_on": N_("power on"), "hard": N_("reset button"),
    "watchdog": N_("watchdog"), "deepsleep": N_("deep sleep"), "soft": N_("soft reset"),
}  # fmt: skip

_NO_NETWORK = {201, 210, 211, 212}  # codes of ESP-IDF's wifi_err_reason_t
_WRONG_PASSWORD = {15, 202, 204}
_RSSI_WARN_DBM, _RSSI_FAIL_DBM = -75, -85
_HEAP_FAIL_BYTES, _HEAP_WARN_BYTES = 4096, 8192
_ERASES_MAX = 100_000  # of a sector of the flash
_CLOCK_AGE_MAX_S = 7200
_NEVER_S = 0xFFFF  # the age of a clock that was not synchronised since the start
_RESTORED = 6  # bit of `why`: the interval began before this start
_UNCONFIRMED_MAX = 8  # records, two hours of 15-minute intervals
_COVERAGE_SPAN_MIN_S = 60  # a younger interval says nothing about coverage
_FAULTS = {
    3: N_("The node counts in memory: a power cut erases these counts. Run tallypost pull, then"
          " erase the ring partition."),
    4: N_("Check that the board has a radio and that its keys are provisioned. Without LoRaWAN,"
          " set link=mqtt."),
}  # fmt: skip
_UNKNOWN_FAULT = N_("Save the log with tallypost monitor, and report the fault.")


def unprovisioned(identity: Body) -> list[Finding]:
    """The finding about a board that has no identity."""
    what = _("{board}, version {version}, without an identity").format(
        board=identity["board"], version=identity["version"]
    )
    return [Finding(NODE, FAIL, what, _("Run: tallypost provision"))]


def evaluate(identity: Body, facts: Body) -> list[Finding]:
    """All findings except those about the beams and about the delivery to the backend."""
    return [
        _node(identity, facts), *_faults(facts),
        *detector_findings(facts["detector"], identity["board"]), *_wifi(facts.get("wifi")),
        *_broker(facts.get("mqtt")), *_lora(facts.get("lora")), _clock(facts["clock"]),
        _ring(facts["ring"]), _confirmed(facts["ring"]), _heap(*facts["heap"]), *_supply(facts),
        *_coverage(facts["interval"], facts["uptime"]),
    ]  # fmt: skip


def _node(identity: Body, facts: Body) -> Finding:
    reset = facts["reset"]
    what = _("{node}, {board}, version {version}, up {time}, last reset: {reset}").format(
        node=identity["node"], board=identity["board"], version=identity["version"],
        time=_span(facts["uptime"]), reset=_(_RESETS.get(reset, str(reset))),
    )  # fmt: skip
    if reset == "watchdog":
        return Finding(
            NODE,
            WARN,
            what,
            _("The node hung before. Save the log with tallypost monitor, and report the fault."),
        )
    return Finding(NODE, PASS, what)


def _faults(facts: Body) -> list[Finding]:
    """The faults that the node found at its start."""
    return [
        Finding(
            START, FAIL, _("fault {code}: {reason}").format(code=code, reason=reason),
            _(_FAULTS.get(code, _UNKNOWN_FAULT)),
        )
        for code, reason in facts["faults"]
    ]  # fmt: skip


def config_findings(in_force: Body, stored: Body | None) -> list[Finding]:
    """The configuration of this start compared with that of the next one."""
    if stored is None:
        return [
            Finding(
                SETTINGS, FAIL,
                _("the stored configuration is damaged, older values are in force"),
                _("Store it again with tallypost config set KEY=VALUE --reboot"),
            )
        ]  # fmt: skip
    changed = [key for key in in_force if in_force[key] != stored.get(key)]
    if not changed:
        return []
    what = _("changed, in force after a reboot: {keys}").format(keys=", ".join(changed))
    return [Finding(SETTINGS, WARN, what, _("Run: tallypost config get --reboot"))]


# --- the network


def _wifi(wifi: Body | None) -> list[Finding]:
    if wifi is None:
        return []
    if wifi["up"]:
        return [_signal(wifi), *_open_network(wifi)]
    ssid, reason = wifi["ssid"], wifi["reason"]
    if not ssid:
        what, advice = _("no network is provisioned"), _("Run: tallypost provision")
    elif reason in _WRONG_PASSWORD:
        what = _("'{ssid}' refuses the password")
        advice = _("Run tallypost provision with the right password.")
    elif reason in _NO_NETWORK:
        what = _("there is no network '{ssid}' here")
        advice = _("Check its name and that it uses 2.4 GHz, or move closer to the access point.")
    elif reason:
        what = _("'{ssid}': not joined, reason {reason} of ESP-IDF")
        advice = _("Move closer to the access point.")
    else:
        what, advice = _("still joining '{ssid}'"), _("Check again in half a minute.")
    return [Finding(WIFI, FAIL, what.format(ssid=ssid, reason=reason), advice)]


def _open_network(wifi: Body) -> list[Finding]:
    """A warning if the node has no password for its network. Older firmware does not say so."""
    if not wifi.get("open"):
        return []
    what = _("'{ssid}' is open: anybody can take its place").format(ssid=wifi["ssid"])
    advice = _("Run tallypost provision with a network that has a password (WPA2 or WPA3).")
    return [Finding(WIFI, WARN, what, advice)]


def _signal(wifi: Body) -> Finding:
    rssi = wifi.get("rssi")
    fields = {"ssid": wifi["ssid"], "rssi": rssi, "ip": wifi.get("ip")}
    if rssi is None or rssi >= _RSSI_WARN_DBM:
        return Finding(WIFI, PASS, _("'{ssid}', {rssi} dBm, address {ip}").format(**fields))
    what = _("'{ssid}', {rssi} dBm, address {ip}: the signal is weak").format(**fields)
    state = FAIL if rssi < _RSSI_FAIL_DBM else WARN
    return Finding(WIFI, state, what, _("Move the antenna or the access point."))


def _broker(mqtt: Body | None) -> list[Finding]:
    if mqtt is None:
        return []
    address, error = f"{mqtt['host']}:{mqtt['port']}", mqtt["error"]
    if mqtt["up"]:
        return [_connected(mqtt, address), *_signing(mqtt)]
    if not error:
        what = _("{address}: not connected yet").format(address=address)
        return [Finding(BROKER, FAIL, what, _("See the finding about Wi-Fi."))]
    if "code 4" in error or "code 5" in error:
        advice = _("Correct user and password at the broker: tallypost provision")
    elif "code" in error:
        advice = _("Read the reason in the log of the broker.")
    else:
        advice = _("Check that it runs and that the node can reach it. To correct the address:"
                   " tallypost config set mqtt_host=HOST mqtt_port=PORT")  # fmt: skip
    return [Finding(BROKER, FAIL, f"{address}: {error}", advice)]


def _connected(mqtt: Body, address: str) -> Finding:
    if mqtt["tls"]:
        return Finding(BROKER, PASS, _("connected to {address} with TLS").format(address=address))
    what = _("connected to {address} in plain text: counts and password can be read")
    advice = _("Run tallypost provision without --insecure-plain.")
    return Finding(BROKER, WARN, what.format(address=address), advice)


def _signing(mqtt: Body) -> list[Finding]:
    """Older nodes do not say whether they sign."""
    if mqtt.get("signs", True):
        return []
    what = _("the records are not signed: the broker can forge counts")
    return [Finding(BROKER, WARN, what, _("Run tallypost provision with --out."))]


def _lora(lora: Body | None) -> list[Finding]:
    if lora is None:
        return []
    station = lora["station"]
    if not station["joined"]:
        return [
            Finding(
                LORAWAN, FAIL, _("not joined"),
                _("Check keys and DevEUI at the network server, the antenna, and that a gateway is"
                  " in reach."),
            )
        ]  # fmt: skip
    parts = [_("joined, data rate {dr}").format(dr=station["dr"])]
    if station.get("rssi"):
        parts.append(f"{station['rssi']} dBm, SNR {station['snr']}")
    parts.append(_("{n} frames").format(n=lora["frames"]))
    return [Finding(LORAWAN, PASS, ", ".join(parts))]


# --- the rest


def _clock(clock: Body) -> Finding:
    source, age = _(_TIME_SOURCES[clock["source"]]), clock["age"]
    if not clock["source"]:
        return Finding(
            CLOCK, FAIL, _("not set"),
            _("Repair the network. Then the server of ntp_host= must answer (UDP port 123)."),
        )  # fmt: skip
    if age == _NEVER_S:
        what = _("from {source}, not synchronised since the start").format(source=source)
        return Finding(CLOCK, WARN, what, _("The server of ntp_host= must answer (UDP port 123)."))
    what = _("from {source}, {time} ago").format(source=source, time=_span(age))
    if age <= _CLOCK_AGE_MAX_S:
        return Finding(CLOCK, PASS, what)
    return Finding(CLOCK, WARN, what, _("The server of ntp_host= must answer (UDP port 123)."))


def _ring(ring: Body) -> Finding:
    if ring["storage"] != "flash":
        what = _("in memory only: {reason}").format(reason=ring["storage"])
        return Finding(LOG, FAIL, what, _(_FAULTS[3]))
    wear_pct = 100 * ring["opened"] / ring["sectors"] / _ERASES_MAX
    what = _("{records} records, {unsent} to send, flash worn {wear}").format(
        records=max(0, ring["newest"] - ring["oldest"] + 1), unsent=ring["newest"] - ring["sent"],
        wear=f"{decimal(wear_pct, 2)} %" if wear_pct >= 0.01 else _("less than 0.01 %"),
    )  # fmt: skip
    if ring["corrupt"]:
        damaged = _("{n} damaged places").format(n=ring["corrupt"])
        advice = _("The node skips them. If they become more, replace the board.")
        return Finding(LOG, WARN, f"{what}, {damaged}", advice)
    if ring["dropped"]:
        lost = _("{n} lost before they were confirmed").format(n=ring["dropped"])
        advice = _("Check that the backend listens and confirms: tallypost listen")
        return Finding(LOG, WARN, f"{what}, {lost}", advice)
    return Finding(LOG, PASS, what)


def _confirmed(ring: Body) -> Finding:
    """Whether a backend has confirmed the records: an accepted message may still be lost."""
    confirmed, newest = ring["confirmed"], ring["newest"]
    if confirmed < max(1, ring["oldest"]):
        what = _("no record is confirmed by a backend")
    else:
        what = _("confirmed by the backend up to record {confirmed} of {newest}")
        what = what.format(confirmed=confirmed, newest=newest)
        if newest - confirmed <= _UNCONFIRMED_MAX:
            return Finding(CONFIRMED, PASS, what)
    advice = _("Check that the backend listens and confirms: tallypost listen")
    return Finding(CONFIRMED, WARN, what, advice)


def _heap(free: int, lowest: int) -> Finding:
    what = _("{free} bytes free, {lowest} at the lowest").format(
        free=grouped(free), lowest=grouped(lowest)
    )
    if lowest < _HEAP_FAIL_BYTES:
        return Finding(MEMORY, FAIL, what, _("Reboot the node. If it comes again, report it."))
    if lowest < _HEAP_WARN_BYTES:
        return Finding(MEMORY, WARN, what, _("Watch it: reboot the node if it sinks further."))
    return Finding(MEMORY, PASS, what)


def _supply(facts: Body) -> list[Finding]:
    """The values that the board can measure."""
    known = []
    if facts.get("supply_mv"):
        known.append(f"{decimal(facts['supply_mv'] / 1000, 2)} V")
    if facts.get("temp_c") is not None:
        known.append(_("{n} degrees C").format(n=facts["temp_c"]))
    return [Finding(SUPPLY, PASS, ", ".join(known))] if known else []


def _coverage(interval: Body, uptime: int) -> list[Finding]:
    """The part of the open interval in which the node observed.

    An interval that was restored after a restart began before it. Any other one counts from the
    start of the node.
    """
    length, covered = interval["len"], interval["cov"]
    if not interval["why"] >> _RESTORED & 1 and covered <= uptime:
        length = min(length, uptime)
    if length < _COVERAGE_SPAN_MIN_S:
        return []
    what = _("{covered} of the last {length} s observed").format(covered=covered, length=length)
    if covered * 2 >= length:
        return [Finding(COUNTING, PASS, what)]
    reasons = [_(name) for i, name in enumerate(_REASONS) if interval["why"] >> i & 1]
    what = f"{what} ({', '.join(reasons)})"
    return [Finding(COUNTING, FAIL, what, _("See the finding about the detector."))]


def _span(seconds: int) -> str:
    """A span of time as a person says it."""
    if seconds < 120:
        return _("{n} s").format(n=seconds)
    if seconds < 7200:
        return _("{n} min").format(n=seconds // 60)
    return _("{n} h").format(n=seconds // 3600)
