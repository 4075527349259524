"""A RAK3172 with RUI3, from RAK's AT command manual and its published firmware's words.

Every answer is the value (if asked for one), an empty line and a status. `+EVT:` lines follow when
an event has happened. It sends an empty uplink by itself after a confirmed downlink, or when more
is pending.
"""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime

from simulator.world.lorawan.modems.at_modem import Modem, ModemFaults
from simulator.world.lorawan.modems.mac import Mac, Outcome

SETTABLE = {
    "NWM": r"[01]", "NJM": r"[01]", "CLASS": r"[ABC]", "BAND": r"\d|1[0-2]", "ADR": r"[01]",
    "DR": r"[0-7]", "RETY": r"[0-7]", "CFM": r"[01]", "DEVEUI": r"[0-9A-Fa-f]{16}",
    "APPEUI": r"[0-9A-Fa-f]{16}", "APPKEY": r"[0-9A-Fa-f]{32}", "TIMEREQ": r"[01]",
}  # fmt: skip


FACTORY = {
    "NWM": "1", "NJM": "1", "CLASS": "A", "BAND": "4", "ADR": "1", "DR": "0", "RETY": "0",
    "CFM": "0", "DEVEUI": "AC1F09FFFE000000", "APPEUI": "AC1F09FFF9153172", "APPKEY": "0" * 32,
}  # fmt: skip


class Rui3(Modem):
    BAUD = 115200
    BANNER = (
        "RAKwireless RAK3172 Example",
        "------------------------------------------------------",
        "Current Work Mode: LoRaWAN.",
    )

    def __init__(self, mac: Mac, rng: random.Random, faults: ModemFaults | None = None) -> None:
        super().__init__(mac, rng, faults)
        self._settings = dict(FACTORY)  # in flash: they outlive a restart
        self._last_outcome = Outcome(0, rssi=0, snr=0)

    def command(self, t_us: int, text: str) -> None:
        if text == "ATZ":
            self.restart_at(t_us)
            return
        if text == "AT":
            self._status(t_us, "OK")
            return
        found = re.fullmatch(r"AT\+([A-Z]+)(?:=(.*))?", text)
        if not found:
            self._status(t_us, "AT_COMMAND_NOT_FOUND")
        elif found[2] == "?":
            self._ask(t_us, found[1])
        elif found[1] == "JOIN":
            self._join(t_us)
        elif found[1] == "SEND":
            self._send(t_us, found[2] or "")
        else:
            self._set(t_us, found[1], found[2] or "")

    def _status(self, t_us: int, status: str) -> None:
        self.emit(t_us, "")
        self.emit(t_us, status)

    def _ask(self, t_us: int, name: str) -> None:
        values = {
            **self._settings,
            "DR": str(self.mac.rate),
            "NJS": str(int(self.mac.session is not None)),
            "RSSI": str(self._last_outcome.rssi),
            "SNR": str(self._last_outcome.snr),
            "LTIME": self._local_time(t_us),
        }
        if name not in values:
            self._status(t_us, "AT_COMMAND_NOT_FOUND")
            return
        self.emit(t_us, f"AT+{name}={values[name]}")
        self._status(t_us, "OK")

    def _local_time(self, t_us: int) -> str:
        utc = datetime.fromtimestamp((t_us + (self.mac.utc_us or 0)) // 1_000_000, UTC)
        return utc.strftime("%Hh%Mm%Ss on %m/%d/%Y")

    def _set(self, t_us: int, name: str, value: str) -> None:
        if not re.fullmatch(SETTABLE.get(name, "(?!)"), value):
            known = name in SETTABLE
            self._status(t_us, "AT_PARAM_ERROR" if known else "AT_COMMAND_NOT_FOUND")
            return
        if name == "TIMEREQ":
            self.mac.want_time = value == "1"
        else:
            self._settings[name] = value
        self._apply()
        self._status(t_us, "OK")

    def _apply(self) -> None:
        mac, settings = self.mac, self._settings
        mac.dev_eui, mac.join_eui = int(settings["DEVEUI"], 16), int(settings["APPEUI"], 16)
        mac.app_key = bytes.fromhex(settings["APPKEY"])
        mac.adr, mac.retries = settings["ADR"] == "1", int(settings["RETY"])
        if mac.session is None or not mac.adr:
            mac.rate = int(settings["DR"])

    def _must_wait(self, t_us: int) -> bool:
        """Whether it must wait for airtime, or is busy."""
        wait_us = self.mac.wait_us(t_us)
        if self.is_busy(t_us) or wait_us:
            if wait_us and t_us >= self._busy_us:
                self.emit(t_us, f"Restricted_Wait_{-(-wait_us // 1000)}_ms")
            self._status(t_us, "AT_BUSY_ERROR")
            return True
        return False

    def _join(self, t_us: int) -> None:
        if self._must_wait(t_us):
            return
        self._status(t_us, "OK")
        outcome = self.mac.join(t_us)
        self.set_busy_until(outcome.end_us)
        word = "JOINED" if outcome.joined else "JOIN_FAILED_RX_TIMEOUT"
        self.emit(outcome.end_us, f"+EVT:{word}")

    def _send(self, t_us: int, text: str) -> None:
        found = re.fullmatch(r"(\d{1,3}):((?:[0-9A-Fa-f]{2}){1,250})", text)
        if not found or not 1 <= int(found[1]) <= 223:
            self._status(t_us, "AT_PARAM_ERROR")
        elif self.mac.session is None:
            self._status(t_us, "AT_NO_NETWORK_JOINED")
        elif not self._must_wait(t_us):
            payload = bytes.fromhex(found[2])
            if len(payload) > self.mac.payload_max():
                self._status(t_us, "AT_PARAM_ERROR")
                return
            self._status(t_us, "OK")
            self._uplink(t_us, int(found[1]), payload, self._settings["CFM"] == "1")

    def _uplink(self, t_us: int, port: int, payload: bytes, confirmed: bool) -> None:
        asked = self.mac.want_time
        outcome = self.mac.uplink(t_us, port, payload, confirmed)
        end_us = outcome.end_us
        self.set_busy_until(end_us)
        word = "TX_DONE"
        if confirmed:
            word = "SEND_CONFIRMED_OK" if outcome.acked else "SEND_CONFIRMED_FAILED(4)"
        self.emit(end_us, f"+EVT:{word}")
        if asked:
            self.emit(end_us, "+EVT:TIMEREQ_" + ("OK" if outcome.timed else "FAILED"))
            self.mac.want_time = False
        if outcome.window:
            self._last_outcome = outcome
        if outcome.payload:
            self.emit(
                end_us,
                f"+EVT:RX_{outcome.window}:{outcome.rssi}:{outcome.snr}:UNICAST"
                f":{outcome.port}:{outcome.payload.hex()}",
            )
        if outcome.pending or outcome.confirmed:
            self._uplink(end_us + 50_000, 1, b"", False)
