"""Microchip RN2483: lower case, an answer at once and another at the end. 57600 8N1.

Sources: Microchip "RN2483 LoRa Technology Module Command Reference User's Guide" DS40001784G:
2.4.1 (mac reset), 2.4.2 (mac tx), 2.4.3 (mac join), 2.4.5 to 2.4.7 (forceENABLE, pause, resume),
2.4.8, 2.4.9. `mac get status`: bits 0..3 are the state of the MAC. Bit 4 says joined from firmware
1.0.4 on, where eight digits are printed. Older ones print four (public drivers). Microchip's
published source has `fram_counter_err_rejoin_needed`, so the word is matched in both spellings.
LoRaWAN 1.0.2: DevNonce is random, and there is no DeviceTimeReq. Not confirmed by hardware: `radio
get rssi` before 1.0.5.
"""

from modem.codes import (
    BUSY, DOWN, JOIN_FAILED, JOINED, NOISE, NOT_ACKED, NOT_JOINED, OK, PAUSED, REFUSED, RESTART,
    SENT, TOO_LONG, VALUE, lookup, number, octets,
)  # fmt: skip

REGIONS = {"EU868": 868}
SET_END, QUERY_END = OK, VALUE
RESET = b"sys reset"
RESUME = (b"mac resume", b"mac forceENABLE")
JOINED_QUERY = b"mac get status"
EUI_QUERY = b"mac get deveui"
JOIN_FIRST, JOIN_FINAL = OK, JOINED | JOIN_FAILED
SEND_FIRST, SEND_FINAL = OK, SENT | DOWN | NOT_ACKED
SENT_BY = ACKED_BY = SENT | DOWN
FACT_QUERIES = (
    ("dr", b"mac get dr"), ("f_cnt_up", b"mac get upctr"), ("snr", b"radio get snr"),
    ("rssi", b"radio get rssi"),
)  # fmt: skip
TIME_REQUEST, TIME_FINAL, TIME_BY, TIME_QUERY = b"", 0, 0, b""

_LINES = (
    (b"ok", OK),
    (b"accepted", JOINED),
    (b"denied", JOIN_FAILED),
    (b"mac_tx_ok", SENT),
    (b"mac_rx ", DOWN),
    (b"mac_err", NOT_ACKED),
    (b"busy", BUSY),
    (b"no_free_ch", BUSY),
    (b"not_joined", NOT_JOINED),
    (b"frame_counter_err", NOT_JOINED),
    (b"fram_counter_err", NOT_JOINED),
    (b"keys_not_init", NOT_JOINED),
    (b"mac_paused", PAUSED),
    (b"silent", PAUSED),
    (b"invalid_data_len", TOO_LONG),
    (b"invalid_param", REFUSED),
    (b"err", REFUSED),
    (b"RN2483", RESTART),
)


def expect(command):
    """Answers have no prefix. A query is recognised, and a line of digits is its answer."""
    return b"?" if command.startswith((b"mac get", b"radio get")) else b""


def classify(line, expected):
    code = lookup(_LINES, line)
    if code or not expected:
        return code
    for c in line:
        if not (48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102 or c == 45):
            return NOISE
    return VALUE


def setup(keys, region, adr, retries):
    """(name, command), in order. The name may be logged, the command may not."""
    return (
        ("region", b"mac reset %d" % region),
        ("dev_eui", b"mac set deveui " + keys[0]),
        ("join_eui", b"mac set appeui " + keys[1]),
        ("app_key", b"mac set appkey " + keys[2]),
        ("adr", b"mac set adr " + (b"on" if adr else b"off")),
        ("retries", b"mac set retx %d" % retries),
    )


def skip_query(_command):
    return None


def set_data_rate(data_rate):
    return b"mac set dr %d" % data_rate


def join(_anew):
    return b"mac join otaa"


def prepare(_port, _confirmed):
    return b""


def send(port, text, confirmed):
    return b"mac tx %s %d %s" % (b"cnf" if confirmed else b"uncnf", port, text)


def is_joined(line):
    status = octets(line)
    return status is not None and len(status) == 4 and bool(status[3] & 0x10)


def parse_eui(line):
    return line


def parse_value(_name, line):
    return number(line)


def parse_downlink(line):
    """(port, payload) of mac_rx 8 3E99, or None."""
    parts = line.split(b" ")
    if len(parts) != 3:
        return None
    port, data = number(parts[1]), octets(parts[2])
    return None if port is None or data is None else (port, data)


def parse_signal(_line):
    return None


def parse_wait_ms(_line):
    return 0


def parse_time(_line):
    return None
