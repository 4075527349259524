"""`ntptime` of the ESP32 port: one SNTP question (RFC 4330), bounded by `timeout` seconds."""

import struct

import socket
import time as _time

host = "pool.ntp.org"
timeout = 1
_UNIX_TO_NTP = 2_208_988_800


def time():
    """Seconds since 2000-01-01 UTC. Raises OSError without an answer."""
    question = bytearray(48)
    question[0] = 0x1B  # version 3, client
    address = socket.getaddrinfo(host, 123)[0][-1]
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        channel.settimeout(timeout)
        channel.sendto(question, address)
        answer = channel.recv(48)
    finally:
        channel.close()
    seconds = struct.unpack("!I", answer[40:44])[0]
    if seconds < 1 << 31:
        seconds += 1 << 32  # the era that begins in 2036
    return seconds - _UNIX_TO_NTP - _time.EPOCH_2000


def settime():
    _time.set_rtc(time())
