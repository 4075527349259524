"""RAK3172 with RUI3: `OK` or a status word, then `+EVT:` lines. 115200 8N1.

Sources: RAKwireless "RUI3 AT Command Manual" (sections on keys, joining and sending, class B mode
for LTIME). The words and their order are from RAK's published firmware, RAK-STM32-RUI
`service/mode/cli/atcmd_join_send.c` and `service/lora/service_lora.c`:

- The confirmation of an uplink is printed before its downlink.
- After a confirmed downlink the module sends an empty uplink itself, and prints TX_DONE again.
- A lack of airtime is `Restricted_Wait_<n>_ms` followed by AT_BUSY_ERROR.
- LTIME has its leap seconds taken off.

DevNonce and counters live in the module's flash. No hardware of ours has confirmed this.
"""

from modem.codes import (
    ACKED, BUSY, DOWN, JOIN_FAILED, JOINED, NOT_ACKED, NOT_JOINED, OK, REFUSED, RESTART,
    SENT, TIME_FAILED, TIME_OK, VALUE, WAIT, lookup, number, octets, unix,
)  # fmt: skip

REGIONS = {"EU868": 4}
SET_END = QUERY_END = OK
RESET = b"ATZ"
RESUME = ()
JOINED_QUERY = b"AT+NJS=?"
EUI_QUERY = b"AT+DEVEUI=?"
JOIN_FIRST, JOIN_FINAL = OK, JOINED | JOIN_FAILED
SEND_FIRST, SEND_FINAL = OK, SENT | ACKED | NOT_ACKED
SENT_BY, ACKED_BY = SENT, ACKED
FACT_QUERIES = (("dr", b"AT+DR=?"), ("rssi", b"AT+RSSI=?"), ("snr", b"AT+SNR=?"))
TIME_REQUEST, TIME_FINAL, TIME_BY, TIME_QUERY = (
    b"AT+TIMEREQ=1", TIME_OK | TIME_FAILED, TIME_OK, b"AT+LTIME=?",
)  # fmt: skip

_LINES = (
    (b"OK", OK),
    (b"+EVT:JOINED", JOINED),
    (b"+EVT:JOIN_FAILED", JOIN_FAILED),
    (b"+EVT:TX_DONE", SENT),
    (b"+EVT:SEND_CONFIRMED_OK", ACKED),
    (b"+EVT:SEND_CONFIRMED_FAILED", NOT_ACKED),
    (b"+EVT:RX_", DOWN),
    (b"+EVT:TIMEREQ_OK", TIME_OK),
    (b"+EVT:TIMEREQ_FAILED", TIME_FAILED),
    (b"Restricted_Wait_", WAIT),
    (b"AT_BUSY_ERROR", BUSY),
    (b"AT_DUTYCYCLE_RESTRICTED", BUSY),  # firmware before RUI3
    (b"AT_NO_NETWORK_JOINED", NOT_JOINED),
    (b"AT_", REFUSED),
    (b"Current Work Mode", RESTART),
)


def expect(command):
    """Start of the answer to a query."""
    return command[:-1] if command.endswith(b"=?") else b""


def classify(line, expected):
    if expected and line.startswith(expected):
        return VALUE
    return lookup(_LINES, line)


def setup(keys, region, adr, retries):
    """(name, command), in order. The name may be logged, the command may not."""
    return (
        ("mode", b"AT+NWM=1"),
        ("join mode", b"AT+NJM=1"),
        ("class", b"AT+CLASS=A"),
        ("region", b"AT+BAND=%d" % region),
        ("dev_eui", b"AT+DEVEUI=" + keys[0]),
        ("join_eui", b"AT+APPEUI=" + keys[1]),
        ("app_key", b"AT+APPKEY=" + keys[2]),
        ("adr", b"AT+ADR=%d" % adr),
        ("retries", b"AT+RETY=%d" % retries),
    )


def skip_query(command):
    """(query, end of its answer) that makes the command unnecessary, or None.

    Setting the network mode restarts the module.
    """
    return (b"AT+NWM=?", b"=1") if command == b"AT+NWM=1" else None


def set_data_rate(data_rate):
    return b"AT+DR=%d" % data_rate


def join(_anew):
    """One attempt: the period of the module's own attempts is fixed, the back-off is ours."""
    return b"AT+JOIN=1:0:10:0"


def prepare(_port, confirmed):
    return b"AT+CFM=%d" % confirmed


def send(port, text, _confirmed):
    return b"AT+SEND=%d:%s" % (port, text)


def is_joined(line):
    return line.endswith(b"=1")


def parse_eui(line):
    return line[len(b"AT+DEVEUI=") :]


def parse_value(_name, line):
    return number(line[line.find(b"=") + 1 :])


def parse_downlink(line):
    """(port, payload) of +EVT:RX_1:-80:7:UNICAST:2:0a0b, or None."""
    parts = line.split(b":")
    if len(parts) != 7:
        return None
    port, data = number(parts[5]), octets(parts[6])
    return None if port is None or data is None else (port, data)


def parse_signal(line):
    parts = line.split(b":")
    if len(parts) < 4:
        return None
    return number(parts[2]), number(parts[3])


def parse_wait_ms(line):
    if not line.startswith(b"Restricted_Wait_"):
        return 0
    return number(line[16:].split(b"_")[0]) or 0


def parse_time(line):
    """(seconds since 1970, milliseconds) of AT+LTIME=15h08m55s on 08/17/2026, or None.

    The line has no fraction. The middle of the second is wrong by half a second at most.
    """
    text = line[line.find(b"=") + 1 :]
    if len(text) != 23 or text[9:13] != b" on ":
        return None
    date = number(text[19:23]), number(text[13:15]), number(text[16:18])
    seconds = unix(date, (number(text[0:2]), number(text[3:5]), number(text[6:8])))
    return None if seconds is None else (seconds, 500)
