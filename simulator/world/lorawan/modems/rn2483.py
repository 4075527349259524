"""A Microchip RN2483 with firmware 1.0.5, from its command reference (DS40001784G, chapter 2).

Lower case. A command is answered at once, a transaction once more at its end.
"""

from __future__ import annotations

import re

from simulator.world.lorawan.modems.at_modem import Modem
from simulator.world.lorawan.modems.mac import Outcome

PAUSED, JOINED = 1 << 8, 1 << 4


class Rn2483(Modem):
    BAUD = 57600
    BANNER = ("RN2483 1.0.5 Oct 31 2018 15:06:52",)
    paused = False
    counter_broken = False  # the frame counter is lost: the network demands a new join
    _keys: frozenset[str] = frozenset()
    _last_outcome = Outcome(0, rssi=-128, snr=-128)

    def reset_state(self) -> None:
        """Settings that were not saved with `mac save` are gone."""
        self._keys = frozenset()
        self.paused = False

    def command(self, t_us: int, text: str) -> None:
        words = text.split(" ")
        if words[:2] == ["sys", "reset"]:
            self.restart_at(t_us)
        elif words[:2] == ["mac", "set"] and len(words) == 4:
            self.emit(t_us, "ok" if self._set(words[2], words[3]) else "invalid_param")
        elif words[:2] == ["mac", "get"] or words[:2] == ["radio", "get"]:
            self.emit(t_us, self._get(" ".join(words[2:])))
        elif words[:2] == ["mac", "reset"]:
            self.mac.restart()
            self.reset_state()
            self.emit(t_us, "ok" if words[2:] in (["868"], ["433"]) else "invalid_param")
        elif text in ("mac resume", "mac forceENABLE"):
            self.paused = False
            self.emit(t_us, "ok")
        elif text == "mac join otaa":
            self._join(t_us)
        elif words[:2] == ["mac", "tx"]:
            self._tx(t_us, words[2:])
        else:
            self.emit(t_us, "invalid_param")

    def _set(self, name: str, value: str) -> bool:
        mac = self.mac
        shapes = {"deveui": "[0-9A-Fa-f]{16}", "appeui": "[0-9A-Fa-f]{16}", "dr": "[0-7]",
                  "appkey": "[0-9A-Fa-f]{32}", "adr": "on|off", "retx": r"\d{1,3}"}  # fmt: skip
        if name not in shapes or not re.fullmatch(shapes[name], value):
            return False
        if name == "deveui":
            mac.dev_eui = int(value, 16)
        elif name == "appeui":
            mac.join_eui = int(value, 16)
        elif name == "appkey":
            mac.app_key = bytes.fromhex(value)
        elif name == "dr":
            mac.rate = int(value)
        elif name == "adr":
            mac.adr = value == "on"
        else:
            mac.retries = int(value)
        self._keys = self._keys | {name}
        return True

    def _get(self, name: str) -> str:
        session = self.mac.session
        status = (JOINED if session else 0) | (PAUSED if self.paused else 0)
        values = {
            "status": f"{status:08X}",
            "deveui": f"{self.mac.dev_eui:016X}",
            "dr": str(self.mac.rate),
            "upctr": str(session.fcnt_up if session else 0),
            "snr": str(self._last_outcome.snr),
            "rssi": str(self._last_outcome.rssi),
        }
        return values.get(name, "invalid_param")

    def _refusal(self, t_us: int) -> str:
        if self.paused:
            return "mac_paused"
        if self.is_busy(t_us):
            return "busy"
        return "no_free_ch" if self.mac.wait_us(t_us) else ""

    def _join(self, t_us: int) -> None:
        missing = not {"deveui", "appeui", "appkey"} <= self._keys
        refusal = "keys_not_init" if missing else self._refusal(t_us)
        self.emit(t_us, refusal or "ok")
        if not refusal:
            self.counter_broken = False
            outcome = self.mac.join(t_us)
            self.set_busy_until(outcome.end_us)
            self.emit(outcome.end_us, "accepted" if outcome.joined else "denied")

    def _tx(self, t_us: int, words: list[str]) -> None:
        shape = r"(cnf|uncnf) (\d{1,3}) ((?:[0-9A-Fa-f]{2})+)"
        found = re.fullmatch(shape, " ".join(words))
        refusal = ""
        if not found or not 1 <= int(found[2]) <= 223:
            refusal = "invalid_param"
        elif self.mac.session is None:
            refusal = "not_joined"
        elif self.counter_broken:
            refusal = "fram_counter_err_rejoin_needed"
        elif len(found[3]) // 2 > self.mac.payload_max():
            refusal = "invalid_data_len"
        refusal = refusal or self._refusal(t_us)
        self.emit(t_us, refusal or "ok")
        if found and not refusal:
            confirmed = found[1] == "cnf"
            outcome = self.mac.uplink(t_us, int(found[2]), bytes.fromhex(found[3]), confirmed)
            self.set_busy_until(outcome.end_us)
            self._report(outcome, confirmed)

    def _report(self, outcome: Outcome, confirmed: bool) -> None:
        if outcome.window:
            self._last_outcome = outcome
        if confirmed and not outcome.acked:
            text = "mac_err"
        elif outcome.payload:
            text = f"mac_rx {outcome.port} {outcome.payload.hex().upper()}"
        else:
            text = "mac_tx_ok"
        self.emit(outcome.end_us, text)
