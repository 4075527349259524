"""A Seeed LoRa-E5, from its AT command specification V1.0 and recordings of real ones.

Every line is `+COMMAND: text`. Joins and messages end with `Done`. Public sources differ whether a
refusal is followed by `Done`: `done_after_refusal` decides.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from simulator.world.lorawan.modems.at_modem import Modem
from simulator.world.lorawan.modems.mac import Outcome

SPREAD = {0: "SF12 BW125K", 1: "SF11 BW125K", 2: "SF10 BW125K", 3: "SF9  BW125K",
          4: "SF8  BW125K", 5: "SF7  BW125K", 6: "SF7  BW250K"}  # fmt: skip
GENERAL, PARAMETER, UNKNOWN = -24, -1, -10
UNSET = datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1e6


class LoraE5(Modem):
    BAUD = 9600
    done_after_refusal = True
    _port = 8
    _mode = "LWABP"

    def reset_state(self) -> None:
        self._port = 8

    def command(self, t_us: int, text: str) -> None:
        found = re.fullmatch(r"AT(?:\+([A-Z]+)(?:=(.*))?)?", text, re.IGNORECASE)
        if not found:
            self.emit(t_us, f"+AT: ERROR({UNKNOWN})")
            return
        name, value = (found[1] or "").upper(), found[2]
        handler = getattr(self, f"_{name.lower()}_" if name else "_at_", None)
        if handler is None:
            self.emit(t_us, f"+AT: ERROR({UNKNOWN})")
        else:
            handler(t_us, value or "")

    def _bad(self, t_us: int, name: str) -> None:
        self.emit(t_us, f"+{name}: ERROR({PARAMETER})")

    def _at_(self, t_us: int, _value: str) -> None:
        self.emit(t_us, "+AT: OK")

    def _reset_(self, t_us: int, _value: str) -> None:
        self.emit(t_us, "+RESET: OK")
        self.restart_at(t_us + 100_000)

    def _id_(self, t_us: int, value: str) -> None:
        found = re.fullmatch(r'(DevEui|AppEui)(?:, *"?([0-9A-F]{16})"?)?', value, re.IGNORECASE)
        if not found:
            self._bad(t_us, "ID")
            return
        dev = found[1].lower() == "deveui"
        if found[2] and dev:
            self.mac.dev_eui = int(found[2], 16)
        elif found[2]:
            self.mac.join_eui = int(found[2], 16)
        number = self.mac.dev_eui if dev else self.mac.join_eui
        octets = ":".join(f"{byte:02X}" for byte in number.to_bytes(8, "big"))
        self.emit(t_us, f"+ID: {'DevEui' if dev else 'AppEui'}, {octets}")

    def _key_(self, t_us: int, value: str) -> None:
        found = re.fullmatch(r'APPKEY, *"?([0-9A-F]{32})"?', value, re.IGNORECASE)
        if not found:
            self._bad(t_us, "KEY")
            return
        self.mac.app_key = bytes.fromhex(found[1])
        self.emit(t_us, f"+KEY: APPKEY {found[1].upper()}")

    def _mode_(self, t_us: int, value: str) -> None:
        self._mode = value
        self.emit(t_us, f"+MODE: {value}")

    def _class_(self, t_us: int, value: str) -> None:
        self.emit(t_us, f"+CLASS: {value}")

    def _ch_(self, t_us: int, value: str) -> None:
        self.emit(t_us, f"+CH: {value.replace(',', ', ', 1)}")

    def _adr_(self, t_us: int, value: str) -> None:
        self.mac.adr = value == "ON"
        self.emit(t_us, f"+ADR: {value}")

    def _retry_(self, t_us: int, value: str) -> None:
        self.mac.retries = int(value)
        self.emit(t_us, f"+RETRY: {value}")

    def _port_(self, t_us: int, value: str) -> None:
        if not value.isdigit() or not 1 <= int(value) <= 255:
            self._bad(t_us, "PORT")
            return
        self._port = int(value)
        self.emit(t_us, f"+PORT: {value}")

    def _dr_(self, t_us: int, value: str) -> None:
        if value == "EU868":
            self.emit(t_us, "+DR: EU868")
            return
        found = re.fullmatch(r"(?:DR)?([0-6])?", value)
        if not found:
            self._bad(t_us, "DR")
            return
        if found[1]:
            self.mac.rate = int(found[1])
        self.emit(t_us, f"+DR: DR{self.mac.rate}")
        self.emit(t_us, f"+DR: EU868 DR{self.mac.rate}  {SPREAD[self.mac.rate]} ")

    def _lw_(self, t_us: int, value: str) -> None:
        session = self.mac.session
        if value == "LEN":
            self.emit(t_us, f"+LW: LEN, {self.mac.payload_max()}")
        elif value == "ULDL":
            up, down = (session.fcnt_up, session.fcnt_down + 1) if session else (0, 0)
            self.emit(t_us, f"+LW: ULDL, {up}, {down}")
        elif value == "DTR":
            self.mac.want_time = True
            self.emit(t_us, "+LW: DTR")
        else:
            self._bad(t_us, "LW")

    def _rtc_(self, t_us: int, value: str) -> None:
        offset = UNSET if self.mac.utc_us is None else self.mac.utc_us
        now = datetime.fromtimestamp((t_us + offset) / 1e6, UTC)
        text = now.strftime("%Y-%m-%d %H:%M:%S")
        if value == "UTCMS":
            text += f".{now.microsecond // 1000:03d}"
        self.emit(t_us, f"+RTC: {text}")

    def _refused(self, t_us: int, name: str) -> bool:
        wait_us = self.mac.wait_us(t_us)
        if t_us < self._busy_us:
            self.emit(t_us, f"+{name}: LoRaWAN modem is busy")
            return True
        if self.is_busy(t_us):
            self._end(t_us, name, "No free channel")
        elif wait_us:
            self._end(t_us, name, f"No band in {-(-wait_us // 1000)}ms")
        return self.is_busy(t_us) or bool(wait_us)

    def _end(self, t_us: int, name: str, why: str) -> None:
        self.emit(t_us, f"+{name}: {why}")
        if self.done_after_refusal:
            self.emit(t_us, f"+{name}: Done")

    def _join_(self, t_us: int, value: str) -> None:
        if self._mode != "LWOTAA":
            self.emit(t_us, "+JOIN: Not in OTAA mode")
        elif self.mac.session and value != "FORCE":
            self.emit(t_us, "+JOIN: Joined already")
        elif not self._refused(t_us, "JOIN"):
            self.emit(t_us, "+JOIN: Start")
            self.emit(t_us, f"+JOIN: {'FORCE' if value == 'FORCE' else 'NORMAL'}")
            outcome = self.mac.join(t_us)
            self.set_busy_until(outcome.end_us)
            session = self.mac.session
            if session:
                addr = ":".join(f"{byte:02X}" for byte in session.addr.to_bytes(4, "big"))
                self.emit(outcome.end_us, "+JOIN: Network joined")
                self.emit(outcome.end_us, f"+JOIN: NetID 000013 DevAddr {addr}")
            else:
                self.emit(outcome.end_us, "+JOIN: Join failed")
            self.emit(outcome.end_us, "+JOIN: Done")

    def _msghex_(self, t_us: int, value: str) -> None:
        self._message(t_us, "MSGHEX", value)

    def _cmsghex_(self, t_us: int, value: str) -> None:
        self._message(t_us, "CMSGHEX", value)

    def _message(self, t_us: int, name: str, value: str) -> None:
        text = value.strip('"')
        if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", text):
            self._bad(t_us, name)
        elif self.mac.session is None:
            self.emit(t_us, f"+{name}: Please join network first")
        elif len(text) // 2 > self.mac.payload_max():
            self.emit(t_us, f"+{name}: Length error {self.mac.payload_max()}")
        elif not self._refused(t_us, name):
            self.emit(t_us, f"+{name}: Start")
            if name == "CMSGHEX":
                self.emit(t_us, "+CMSGHEX: Wait ACK")
            outcome = self.mac.uplink(t_us, self._port, bytes.fromhex(text), name == "CMSGHEX")
            self.set_busy_until(outcome.end_us)
            self._report(name, outcome)

    def _report(self, name: str, outcome: Outcome) -> None:
        lines = []
        if outcome.pending:
            lines.append("FPENDING")
        if outcome.acked:
            lines.append("ACK Received")
        if outcome.payload:
            lines.append(f'PORT: {outcome.port}; RX: "{outcome.payload.hex().upper()}"')
        if outcome.window:
            lines.append(f"RXWIN{outcome.window}, RSSI {outcome.rssi}, SNR {outcome.snr}.0")
        for line in [*lines, "Done"]:
            self.emit(outcome.end_us, f"+{name}: {line}")
