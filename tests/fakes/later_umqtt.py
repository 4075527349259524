"""The versions of umqtt.simple since 1.3.4, as far as `mqtt.client` uses them.

Some builds of MicroPython have the library built in. They run it instead of ours: 1.6.0 with
MicroPython 1.25 and 1.26, 1.7.0 with 1.27 and 1.28, 1.8.0 after them.

    1.4.0   an empty user is none, and `ssl` accepts a context
    1.5.0   connect(clean_session, timeout=None) sets it on the socket, also when it is None
    1.6.0   ssl_params is back
    1.7.1   connect() closes the socket of the connection before
    1.8.0   a CONNACK that is short or wrong is an MQTTException(-1)
"""

import socket
import struct


class MQTTException(Exception):
    pass


def _text(data):
    return struct.pack("!H", len(data)) + data


class MQTTClient:
    def __init__(self, *args, ssl=None, ssl_params=None):
        self.client_id, self.server, self.port, self.user, self.pswd, self.keepalive = args
        self.ssl, self.ssl_params = ssl, ssl_params or {}
        self.sock = self.cb = self.lw_topic = self.lw_msg = None
        self.pid = self.lw_qos = 0
        self.lw_retain = False

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.lw_topic, self.lw_msg, self.lw_retain, self.lw_qos = topic, msg, retain, qos

    def connect(self, clean_session=True, timeout=None):
        if self.sock:
            self.sock.close()
        self.sock = socket.socket()
        self.sock.settimeout(timeout)
        self.sock.connect(socket.getaddrinfo(self.server, self.port)[0][-1])
        flags = clean_session << 1
        payload = _text(self.client_id)
        if self.lw_topic:
            flags |= 4 | self.lw_qos << 3 | self.lw_retain << 5
            payload += _text(self.lw_topic) + _text(self.lw_msg)
        if self.user:
            flags |= 0xC0
            payload += _text(self.user) + _text(self.pswd)
        fixed = bytearray(b"\x10\0\0\0\0")
        size = len(payload) + 10
        at = 1
        while size > 0x7F:
            fixed[at] = size & 0x7F | 0x80
            size >>= 7
            at += 1
        fixed[at] = size
        self.sock.write(fixed, at + 1)
        self.sock.write(_text(b"MQTT") + struct.pack("!BBH", 4, flags, self.keepalive))
        self.sock.write(payload)
        answer = self.sock.read(4)
        if not answer or len(answer) < 4 or answer[:2] != b"\x20\x02":
            raise MQTTException(-1)
        if answer[3]:
            raise MQTTException(answer[3])
        return answer[2] & 1
