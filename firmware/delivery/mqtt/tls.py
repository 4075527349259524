"""TLS under the MQTT link: the broker must show a certificate of the city's own authority.

The authorities (DER, NVS keys `mqtt_ca` and, for the time of a change, `mqtt_ca2`) and the host
name of the configuration decide, and nothing bypasses them. Certificates are valid from a date on,
so nothing connects before the clock is set. The handshake takes about a second of an ESP32 and
40 KB beside the heap (ESP-IDF's own). No hardware has confirmed these two figures yet.
"""

import ssl

from mqtt import LinkDown


def wrapper(authorities, host):
    """Return a function(connected socket) -> TLS socket. One of the authorities is enough.

    Raises LinkDown without one, or for a bad one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        for der in authorities or (b"",):
            context.load_verify_locations(cadata=der)
    except ValueError:
        raise LinkDown("tls: no usable certificate in NVS keys mqtt_ca, mqtt_ca2")

    def wrap(sock):
        # The handshake comes with the first bytes: nothing blocks for it.
        stream = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        stream.setblocking(False)
        return stream

    return wrap
