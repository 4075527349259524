"""TLS under the MQTT link: the broker must show a certificate of the city's own authority.

The authority (DER, NVS key `mqtt_ca`) and the host name of the configuration decide, and nothing
bypasses them. Certificates are valid from a date on, so nothing connects before the clock is set.
The handshake takes about a second of an ESP32 and 40 KB beside the heap (ESP-IDF's own). No
hardware has confirmed these two figures yet.
"""

import ssl

from mqtt import LinkDown


def wrapper(ca, host):
    """Return a function(connected socket) -> TLS socket. Raises LinkDown for a bad certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=ca)
    except (TypeError, ValueError):
        raise LinkDown("tls: no usable certificate in NVS key mqtt_ca")

    def wrap(sock):
        # The handshake comes with the first bytes: nothing blocks for it.
        stream = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        stream.setblocking(False)
        return stream

    return wrap
