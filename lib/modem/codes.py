"""Codes for the meaning of a modem's line, one bit each. All codes seen fit into one small int."""

NOISE = 0
OK = 1 << 0
VALUE = 1 << 1  # the answer to a query, or the echo of a setting
STARTED = 1 << 2
JOINED = 1 << 3
JOIN_FAILED = 1 << 4
SENT = 1 << 5
ACKED = 1 << 6
NOT_ACKED = 1 << 7
DONE = 1 << 8
DOWN = 1 << 9
SIGNAL = 1 << 10
TIME_OK = 1 << 11
TIME_FAILED = 1 << 12
WAIT = 1 << 13  # how long airtime is lacking; the refusal itself follows
BUSY = 1 << 14
NOT_JOINED = 1 << 15
TOO_LONG = 1 << 16
REFUSED = 1 << 17
RESTART = 1 << 18
PAUSED = 1 << 19

# These end any command, whatever it waits for.
BAD = BUSY | NOT_JOINED | TOO_LONG | REFUSED | RESTART | PAUSED


def lookup(table, line):
    """The code of the first prefix in `table` that the line begins with."""
    for prefix, code in table:
        if line.startswith(prefix):
            return code
    return NOISE


def number(text):
    """A decimal integer, or None. int() alone accepts more than modems print."""
    text = text.strip()
    digits = text[1:] if text[:1] == b"-" else text
    if not 0 < len(digits) <= 10 or not digits.isdigit():
        return None
    return int(text)


def octets(text):
    """Bytes written in hexadecimal, or None."""
    if len(text) % 2:
        return None
    for c in text:
        if not (48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102):
            return None
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


def unix(date, clock):
    """Seconds since 1970 of (year, month, day) and (hour, minute, second). None if impossible.

    Computed here, because the epoch of `time` depends on the port. Before 2024 a modem's clock has
    not been set.
    """
    if None in date or None in clock:
        return None
    year, month, day = date
    hour, minute, second = clock
    if not (2024 <= year < 2100 and 1 <= month <= 12 and 1 <= day <= 31):
        return None
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    years = year - (1 if month < 3 else 0)
    days = 365 * years + years // 4 - years // 100 + years // 400
    days += (153 * (month + (9 if month < 3 else -3)) + 2) // 5 + day - 1
    return (days - 719468) * 86400 + (hour * 60 + minute) * 60 + second
