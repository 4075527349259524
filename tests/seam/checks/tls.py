"""TLS as the firmware uses it: one authority, nothing blocks for the handshake."""

import socket
import ssl

import network
from prelude import Skip, expect, need, raises, truth, until


def _context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def a_context_that_insists():
    """A client's context takes CERT_REQUIRED and keeps it.

    Source: docs/library/ssl.rst, SSLContext, and extmod/modtls_mbedtls.c

    Leans: firmware/delivery/mqtt/tls.py
    """
    context = _context()
    expect(context.verify_mode, ssl.CERT_REQUIRED)
    expect((ssl.CERT_NONE, ssl.CERT_REQUIRED), (0, 2))


def bad_certificates_are_refused():
    """load_verify_locations raises ValueError for bytes that are not a certificate.

    Source: docs/library/ssl.rst, load_verify_locations, and extmod/modtls_mbedtls.c ("invalid
    cert")

    Leans: firmware/delivery/mqtt/tls.py, wrapper
    """
    raises(ValueError, lambda: _context().load_verify_locations(cadata=b"\x30\x03nothing"))


def errors_are_oserrors():
    """There is no SSLError: an error is an OSError or a ValueError.

    Source: docs/library/ssl.rst, "Exceptions" (CPython difference)

    Leans: lib/mqtt/client.py, _write, _exactly
    """
    truth(not hasattr(ssl, "SSLError"), "ssl.SSLError is there")


def wrapped_sockets_have_no_timeout():
    """A TLS socket has setblocking and no settimeout. Wrapping needs no handshake yet.

    Source: extmod/modtls_mbedtls.c, ssl_socket_locals_dict_table

    Leans: firmware/delivery/mqtt/tls.py, wrap
    """
    sock = _wrapped(b"s")
    names = [hasattr(sock, name) for name in ("settimeout", "setblocking", "read", "write")]
    sock.close()
    expect(names, [False, True, True, True])


def a_peer_without_tls_is_an_error():
    """When the peer closes in the handshake, writing or reading raises OSError.

    Source: extmod/modtls_mbedtls.c, mbedtls_raise_error, and docs/library/ssl.rst

    Leans: lib/mqtt/client.py
    """
    sock = _wrapped(b"c")

    def talk():
        for _ in range(20):
            if sock.write(b"x") is not None or sock.read(1) is not None:
                return
            until(lambda: False, 50)

    try:
        raises(OSError, talk)
    finally:
        sock.close()


def _wrapped(order):
    net = need("net", "no network: [network] of the wiring file")
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    if not wlan.isconnected():
        wlan.connect(net["ssid"], net["key"])
    if not until(wlan.isconnected, 20_000):
        raise Skip("Wi-Fi: not joined within 20 s")
    sock = socket.socket()
    sock.settimeout(5)
    sock.connect((net["host"], net["port"]))
    sock.write(order)
    stream = _context().wrap_socket(
        sock, server_hostname="city.example", do_handshake_on_connect=False
    )
    stream.setblocking(False)
    return stream
