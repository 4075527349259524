"""Seeed LoRa-E5 (Wio-E5): every line is `+COMMAND: text`, long commands end with `Done`. 9600 8N1.

Sources: Seeed "LoRa-E5 AT Command Specification V1.0" as quoted in public code, Seeed's wiki. From
public drivers: `AT+LW=DTR` (the request goes with the next uplink) and `AT+RTC=UTCMS` (answers
`+RTC: 2026-04-30 12:30:49.465`). Firmware 4.0.11 speaks LoRaWAN 1.0.2. Its DevNonce is random, so
a network that demands rising numbers refuses joins now and then. The next attempt has another
number. Not confirmed by hardware: whether UTCMS is free of leap seconds, whether `Done` follows a
refusal, which line follows a restart.
"""

from modem.codes import (
    ACKED, BUSY, DONE, DOWN, JOIN_FAILED, JOINED, NOISE, NOT_JOINED, REFUSED, RESTART, SIGNAL,
    STARTED, TOO_LONG, VALUE, lookup, number, octets, unix,
)  # fmt: skip

REGIONS = {"EU868": b"EU868"}
SET_END = QUERY_END = VALUE
RESET = b"AT+RESET"
RESUME = ()
JOINED_QUERY = b""  # none: a join is answered "Joined already"
EUI_QUERY = b"AT+ID=DevEui"
JOIN_FIRST, JOIN_FINAL = STARTED | JOINED, DONE
SEND_FIRST, SEND_FINAL = STARTED, DONE
SENT_BY, ACKED_BY = DONE, ACKED
FACT_QUERIES = (("dr", b"AT+DR"), ("max_payload", b"AT+LW=LEN"), ("f_cnt_up", b"AT+LW=ULDL"))
TIME_REQUEST, TIME_FINAL, TIME_BY, TIME_QUERY = b"AT+LW=DTR", 0, SIGNAL, b"AT+RTC=UTCMS"

_BODIES = (
    (b"Start", STARTED),
    (b"Network joined", JOINED),
    (b"Joined already", JOINED),
    (b"Join failed", JOIN_FAILED),
    (b"Done", DONE),
    (b"ACK Received", ACKED),
    (b"PORT: ", DOWN),
    (b"RXWIN", SIGNAL),
    (b"LoRaWAN modem is busy", BUSY),
    (b"No free channel", BUSY),
    (b"No band in ", BUSY),
    (b"Please join network", NOT_JOINED),
    (b"Length error", TOO_LONG),
    (b"DR error", REFUSED),
    (b"Not in OTAA", REFUSED),
    (b"ERROR(", REFUSED),
)


def expect(command):
    """Start of the answer: `+NAME:`, for AT+LW and AT+ID with the parameter."""
    name, _, rest = command[3:].partition(b"=")
    if name in (b"LW", b"ID"):
        return b"+" + name + b": " + rest.partition(b",")[0]
    return b"+" + name + b":"


def classify(line, expected):
    head, colon, body = line.partition(b": ")
    if not colon or head[:1] != b"+":
        return NOISE
    if head == b"+RESET":
        return RESTART
    code = lookup(_BODIES, body)
    if code == NOISE and expected and line.startswith(expected):
        return VALUE
    return code


def setup(keys, region, adr, retries):
    """(name, command), in order. The name may be logged, the command may not."""
    return (
        ("mode", b"AT+MODE=LWOTAA"),
        ("region", b"AT+DR=" + region),
        ("channels", b"AT+CH=NUM,0-2"),
        ("class", b"AT+CLASS=A"),
        ("dev_eui", b'AT+ID=DevEui,"%s"' % keys[0]),
        ("join_eui", b'AT+ID=AppEui,"%s"' % keys[1]),
        ("app_key", b'AT+KEY=APPKEY,"%s"' % keys[2]),
        ("adr", b"AT+ADR=" + (b"ON" if adr else b"OFF")),
        ("retries", b"AT+RETRY=%d" % retries),
    )


def skip_query(_command):
    return None


def set_data_rate(data_rate):
    return b"AT+DR=%d" % data_rate


def join(anew):
    return b"AT+JOIN=FORCE" if anew else b"AT+JOIN"


def prepare(port, _confirmed):
    return b"AT+PORT=%d" % port


def send(_port, text, confirmed):
    return b'AT+%sMSGHEX="%s"' % (b"C" if confirmed else b"", text)


def is_joined(_line):
    return False


def parse_eui(line):
    return line.partition(b", ")[2].replace(b":", b"").strip()


def parse_value(name, line):
    if name == "dr":
        at = line.rfind(b"DR")
        return number(line[at + 2 : at + 4].strip())
    parts = line.split(b", ")
    if len(parts) < 2:
        return None
    return number(parts[1])


def parse_downlink(line):
    """(port, payload) of +MSGHEX: PORT: 8; RX: "3E99", or None."""
    parts = line.split(b'"')
    at = line.find(b"PORT: ")
    if len(parts) != 3 or at < 0:
        return None
    port, data = number(line[at + 6 :].partition(b";")[0]), octets(parts[1])
    return None if port is None or data is None else (port, data)


def parse_signal(line):
    """(dBm, dB) of +MSGHEX: RXWIN1, RSSI -84, SNR 6.0."""
    parts = line.split(b", ")
    if len(parts) != 3:
        return None
    return number(parts[1][5:]), number(parts[2][4:].partition(b".")[0])


def parse_wait_ms(line):
    at = line.find(b"No band in ")
    return 0 if at < 0 else number(line[at + 11 :].partition(b"ms")[0]) or 0


def parse_time(line):
    """(seconds since 1970, milliseconds) of +RTC: 2026-04-30 12:30:49.465, or None."""
    text = line[6:]
    if len(text) != 23:
        return None
    date = number(text[0:4]), number(text[5:7]), number(text[8:10])
    seconds = unix(date, (number(text[11:13]), number(text[14:16]), number(text[17:19])))
    ms = number(text[20:23])
    return None if seconds is None or ms is None else (seconds, ms)
