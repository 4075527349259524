"""The steps of a run, in their order. Each returns its figures, or raises Failed or Skipped."""

from __future__ import annotations

import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import serial

from tallypost.connection.line import Refused
from tallypost.connection.transports import Node
from tallypost.faults import ToolError
from tests.chip import reconnecting
from tests.chip.chip import Body, Chip, Failed, Skipped
from tests.chip.report import Figures

ROOT = Path(__file__).resolve().parents[2]
LOST_MAX = 5  # commands without an answer, after which a run of commands ends
_COUNTS = re.compile(r"(\d+) info \w+: state (\d), (\d+) bytes free")
_AFTER_TRACE_S = 12.0  # the last road user of a trace is counted when its track ends
_PROGRESS = 50


def boot(chip: Chip) -> Figures:
    """Reset by command, until the node counts. The ROM's first line starts the clock."""
    chip.need_node()
    with chip.started() as line:
        line.ask("reboot")
        asked, reset = time.monotonic(), None
        for text in line.lines(60):
            if "rst:0x" in text:
                reset = time.monotonic()
            if match := _COUNTS.search(text):
                return {
                    "reset_to_counting_s": reset and round(time.monotonic() - reset, 2),
                    "uptime_counting_s": int(match[1]), "detector_state": int(match[2]),
                    "heap_free_bytes": int(match[3]),
                }  # fmt: skip
    raise Failed(f"it did not count within {time.monotonic() - asked:.0f} s of the reset")


def provision(chip: Chip) -> Figures:
    """The identity of the board."""
    with chip.started() as line:
        found = line.ask("identity")
    chip.node = found["node"]
    shown: Figures = {key: found[key] for key in ("board", "version", "boot")}
    if not chip.node:
        raise Failed(f"not provisioned: tallypost provision --port {chip.args.port}", shown)
    return {"node": chip.node} | shown


def counts(chip: Chip) -> Figures:
    """The passages of a trace, fed to the radar's line, and those of the simulator."""
    node, trace, url = chip.need_node(), chip.args.trace, chip.args.radar
    if not trace or not url:
        raise Skipped("no trace, or no port at the radar's line: TRACE=, RADAR=")
    wanted = _simulated(trace)
    with chip.console() as line:
        before = line.ask("check")["detector"]
        _feed(trace, url, chip)
        after = line.ask("check")["detector"]
    counted = after["passages"] - before["passages"]
    lost = _lost(after["stats"]) - _lost(before["stats"])
    figures = {"passages": counted, "simulated_passages": wanted, "lost_bytes": lost}
    if counted != wanted:
        raise Failed(f"{node} counts otherwise than the simulator", figures)
    return figures


def _lost(stats: Body) -> int:
    return int(stats.get("resync_bytes", 0))


def _simulated(trace: Path) -> int:
    command = [sys.executable, "-m", "simulator.run.processes.replay", str(trace), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"the simulator refuses the trace: {done.stderr.strip()}")
    return len(json.loads(done.stdout)["passages"])


def _feed(trace: Path, url: str, chip: Chip) -> None:
    """Send the bytes of a trace at their times."""
    lines = trace.read_text(encoding="ascii").splitlines()
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    chip.tell(f"feeding {len(rows)} lines in {float(rows[-1][0]) / 1000:.0f} s")
    with serial.serial_for_url(url, baudrate=115_200) as port:
        start = time.monotonic()
        for ms, data in rows:
            time.sleep(max(0.0, start + float(ms) / 1000 - time.monotonic()))
            port.write(bytes.fromhex(data))
        time.sleep(_AFTER_TRACE_S)


def console_commands(chip: Chip) -> Figures:
    """Random commands over the console. Each must be answered."""
    chip.need_node()
    with chip.console() as line:
        return _commands(chip, line, "console")


def mqtt_commands(chip: Chip) -> Figures:
    """Random commands over the broker. Each must be answered."""
    with chip.broker() as node:
        return _commands(chip, node, "mqtt")


def _commands(chip: Chip, node: Node, salt: str) -> Figures:
    rng = random.Random(f"{chip.args.seed}/{salt}")
    took_ms: list[float] = []
    lost: list[str] = []
    wrong: list[str] = []
    total = chip.args.commands // 2
    for number in range(1, total + 1):
        cmd, fields, accepted = _draw(rng)
        start = time.monotonic()
        try:
            chip.note_memory(node.ask(cmd, **fields))
            if accepted is False:
                wrong.append(f"{cmd} was accepted")
        except Refused as error:
            if accepted:
                wrong.append(str(error))
        except ToolError as error:
            lost.append(f"{cmd}: {error}")
        took_ms.append((time.monotonic() - start) * 1000)
        if number % _PROGRESS == 0:
            chip.tell(f"{number} of {total} commands over {salt}, {len(lost)} lost")
        if len(lost) == LOST_MAX:
            break
    figures = {
        "commands": len(took_ms), "lost": len(lost), "wrong": len(wrong),
        "median_ms": round(statistics.median(took_ms)) if took_ms else None,
        "longest_ms": round(max(took_ms)) if took_ms else None,
    }  # fmt: skip
    if lost or wrong:
        raise Failed((lost + wrong)[0], figures)
    return figures


def _draw(rng: random.Random) -> tuple[str, Body, bool | None]:
    """A command, its fields, and whether it must be accepted, None if either is right."""
    first = rng.randint(-5, 5000)
    kinds: list[tuple[str, Body, bool | None]] = [
        ("ping", {}, True), ("status", {}, True), ("log", {}, True), ("check", {}, True),
        ("identity", {}, True), ("config_get", {}, True), ("config_stored", {}, None),
        ("resend", {"from": first, "to": first + rng.randint(-2, 50)}, None),
        ("config_set", {"config": {"no_such_key": rng.randint(0, 9)}}, False),
        ("no_such_command", {"more": "x" * rng.randint(0, 300)}, False),
    ]  # fmt: skip
    return rng.choice(kinds)


def reconnects(chip: Chip) -> Figures:
    """Connections taken over by another client of the same name: the node must come back."""
    return reconnecting.run(chip)


def tls(chip: Chip) -> Figures:
    """The connection in force is TLS, and up."""
    chip.need_node()
    with chip.console() as line:
        mqtt = line.ask("check")["mqtt"]
    if not mqtt or not mqtt["tls"]:
        raise Skipped("the node is provisioned without TLS: --set mqtt_tls=1")
    if not mqtt["up"]:
        raise Failed(f"no connection: {mqtt['error']}", {"connects": mqtt["connects"]})
    return {"connects": mqtt["connects"]}


def power_cuts(chip: Chip) -> Figures:
    """The caller's command cuts the power. The log must go on where it was."""
    chip.need_node()
    if not chip.args.cut:
        raise Skipped("no command that cuts the power: CUT=")
    took_s: list[float] = []
    for number in range(1, chip.args.cuts + 1):
        took_s.append(_cut(chip))
        chip.tell(f"{number} of {chip.args.cuts} power cuts")
    return {"cuts": len(took_s), "longest_until_answer_s": round(max(took_s, default=0.0), 1)}


def _cut(chip: Chip) -> float:
    with chip.started() as line:
        boot_before, ring = line.ask("identity")["boot"], line.ask("check")["ring"]
    start = time.monotonic()
    done = subprocess.run(chip.args.cut, shell=True, check=False)
    if done.returncode:
        raise Failed(f"CUT= ended with {done.returncode}")
    with chip.started() as line:
        took_s = time.monotonic() - start
        identity, now = line.ask("identity"), line.ask("check")["ring"]
    if identity["boot"] == boot_before:
        raise Failed("CUT= did not restart the board")
    if now["storage"] != "flash" or now["newest"] < ring["newest"] or now["corrupt"]:
        raise Failed(f"the log was damaged: {ring} before, {now} after")
    return took_s


def memory(chip: Chip) -> Figures:
    """The lowest figures of all answers."""
    if not chip.memory:
        raise Skipped("no command was answered")
    return dict(chip.memory)


def conformance(chip: Chip) -> Figures:
    """`make conformance` on the same board. The node stops for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conformance.json"
        command = [sys.executable, "-m", "tests.seam", "--port", chip.args.port, "--json", path]
        for option in ("wiring", "scratch"):
            if value := getattr(chip.args, option):
                command += [f"--{option}", str(value)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if not path.exists():
            raise Failed(done.stderr.strip().rpartition("\n")[2])
        found: dict[str, Any] = json.loads(path.read_text())
    states = [check["state"] for check in found["checks"].values()]
    figures: Figures = {
        "micropython": ".".join(map(str, found["board"]["version"])),
        **{state: states.count(state) for state in ("pass", "fail", "skip")},
    }
    if "fail" in states:
        names = [name for name, check in found["checks"].items() if check["state"] == "fail"]
        raise Failed(", ".join(names), figures)
    return figures


STEPS = {
    "provision": provision, "boot": boot, "counts": counts, "console": console_commands,
    "mqtt": mqtt_commands, "reconnects": reconnects, "tls": tls, "power cuts": power_cuts,
    "memory": memory, "conformance": conformance,
}  # fmt: skip
