"""Wi-Fi and sockets, against the peer that the host runs. Its first byte is an order:

e  echoes    c  closes    s  is silent    l  answers `late` after a second    r  resets
b  sends 1000 bytes three times, with breaks, and closes
"""

import select
import socket
import time
from errno import EAGAIN, ECONNRESET, EINPROGRESS, ETIMEDOUT

import network
from prelude import Skip, code, expect, need, raises, took_ms, truth, until

_JOIN_MS = 20_000


def _net():
    """The network of the wiring file, joined."""
    net = need("net", "no network: [network] of the wiring file")
    wlan = network.WLAN(network.STA_IF)
    if not wlan.isconnected():
        wlan.active(True)
        wlan.connect(net["ssid"], net["key"])
        if not until(wlan.isconnected, _JOIN_MS):
            raise Skip("Wi-Fi: not joined within %d s" % (_JOIN_MS // 1000))
    return net


def _open(order=b""):
    """A connected socket. The peer has its order."""
    net = _net()
    sock = socket.socket()
    sock.settimeout(5)
    sock.connect((net["host"], net["port"]))
    if order:
        sock.write(order)
    return sock


def station_states():
    """status() and the STAT_ numbers. One object an interface. Connecting needs active(True).

    Source: docs/library/network.WLAN.rst, and ports/esp32/network_wlan.c, modnetwork_globals.h
    (that there is no address before joining: from memory)

    Leans: firmware/delivery/mqtt/wifi.py
    """
    expect((network.STA_IF, network.STAT_IDLE, network.STAT_CONNECTING), (0, 1000, 1001))
    expect((network.STAT_GOT_IP, network.STAT_NO_AP_FOUND), (1010, 201))
    need("net", "no network: [network] of the wiring file")
    wlan = network.WLAN(network.STA_IF)
    wlan.active(False)
    expect((wlan.active(), wlan.isconnected()), (False, False))
    raises(OSError, wlan.connect, "nowhere", "")
    wlan.active(True)
    expect(network.WLAN(network.STA_IF).active(), True, "another object")
    expect(wlan.ifconfig()[0], "0.0.0.0", "before it has an address")
    _net()
    expect((wlan.status(), wlan.isconnected()), (1010, True))
    expect([part.count(".") for part in wlan.ifconfig()], [3, 3, 3, 3])
    truth(wlan.ifconfig()[0] != "0.0.0.0", "no address")
    truth(-120 <= wlan.status("rssi") <= 0, "rssi")
    expect(len(wlan.config("mac")), 6)


def names_of_digits_are_not_asked():
    """getaddrinfo of an address gives it back, as (family, type, proto, name, (address, port)).

    Source: docs/library/socket.rst, getaddrinfo, and ports/esp32/modsocket.c,
    esp_socket_getaddrinfo

    Leans: lib/names/query.py, lib/mqtt/client.py
    """
    _net()
    got = socket.getaddrinfo("192.0.2.7", 1883)
    expect((len(got), len(got[0]), got[0][0], got[0][4]), (1, 5, 2, ("192.0.2.7", 1883)))


def an_unknown_name_is_202():
    """A name that no server knows is OSError -202.

    Source: ports/esp32/modsocket.c, _socket_getaddrinfo2, and lwIP netdb.h, EAI_FAIL 202

    Leans: lib/names/query.py, _NOT_FOUND
    """
    _net()
    expect(code(socket.getaddrinfo, "no-such-host.invalid", 80), -202)


def connecting_without_waiting():
    """With setblocking(False) connect says EINPROGRESS, and poll says when it is done.

    Source: ports/esp32/modsocket.c, socket_connect, exception_from_errno

    Leans: lib/mqtt/connection.py, connect
    """
    net = _net()
    sock = socket.socket()
    sock.setblocking(False)
    expect(code(sock.connect, (net["host"], net["port"])), EINPROGRESS)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    got = poll.poll(5000)
    sock.close()
    expect([item[1] for item in got], [select.POLLOUT])


def a_closed_port_is_a_reset():
    """Connecting to a closed port is ECONNRESET, as lwIP reports it.

    Source: memory (lwIP: a RST in SYN_SENT is ERR_RST, which err_to_errno makes ECONNRESET)

    Leans: lib/mqtt/client.py takes any OSError
    """
    net = _net()
    sock = socket.socket()
    sock.settimeout(5)
    try:
        expect(code(sock.connect, (net["host"], net["closed"])), ECONNRESET)
    finally:
        sock.close()


def a_timeout_is_etimedout():
    """settimeout(s): recv gives up after that time, with ETIMEDOUT.

    Source: ports/esp32/modsocket.c, _socket_settimeout, _socket_read_data

    Leans: firmware/core/clock.py (ntptime)
    """
    sock = _open(b"s")
    sock.settimeout(0.3)
    got = []
    ms = took_ms(lambda: got.append(code(sock.recv, 10)))
    sock.close()
    expect(got, [ETIMEDOUT])
    truth(200 <= ms < 2000, "%d ms" % ms)


def setblocking_wipes_a_timeout():
    """setblocking(True) makes a socket wait for ever, also after settimeout.

    Source: ports/esp32/modsocket.c, socket_setblocking (UINT64_MAX)

    Leans: lib/mqtt/client.py never blocks on a socket, for this reason
    """
    sock = _open(b"l")
    sock.settimeout(0.2)
    sock.setblocking(True)
    got = sock.recv(10)
    sock.close()
    expect(got, b"late")


def nothing_there_is_eagain():
    """Without blocking recv says EAGAIN. The others (read, readinto, readline) say None.

    Source: ports/esp32/modsocket.c, _socket_read_data, and py/stream.c

    Leans: lib/names/query.py, and asyncio.StreamReader
    """
    sock = _open(b"s")
    sock.setblocking(False)
    expect(code(sock.recv, 10), EAGAIN)
    expect((sock.read(10), sock.readinto(bytearray(4))), (None, None))
    sock.close()


def the_end_reads_empty():
    """After the peer has closed, recv gives b"" again and again, and poll says POLLIN.

    Source: ports/esp32/modsocket.c, peer_closed

    Leans: lib/mqtt/client.py: EOFError of readexactly
    """
    sock = _open(b"c")
    expect([sock.recv(10), sock.recv(10), sock.read(10)], [b"", b"", b""])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    truth(poll.poll(1000)[0][1] & select.POLLIN, "no POLLIN")
    sock.close()


def a_reset_is_an_error():
    """When the peer resets the connection recv raises ECONNRESET.

    Source: ports/esp32/modsocket.c, _socket_read_data, and lwIP err.c, ERR_RST

    Leans: lib/mqtt/client.py, _exactly
    """
    sock = _open(b"r")
    expect(code(sock.recv, 10), ECONNRESET)
    sock.close()


def sending_is_partial():
    """Without blocking send takes the bytes that fit, and returns their number.

    Source: ports/esp32/modsocket.c, _socket_send, socket_stream_write, and lwIP TCP_SND_BUF 5744

    Leans: asyncio's StreamWriter.drain in lib/mqtt
    """
    sock = _open(b"s")
    sock.setblocking(False)
    n = sock.send(bytes(20_000))
    sock.close()
    truth(0 < n < 20_000, "%d of 20000" % n)


def bytes_come_back():
    """write() takes all while it may block. The others: recv gives the bytes so far, readinto
    fills.

    Source: docs/library/socket.rst, and py/stream.c

    Leans: umqtt.simple, lib/mqtt
    """
    sock = _open(b"e")
    expect(sock.write(b"0123456789" * 50), 500)
    got = b""
    while len(got) < 200:
        got += sock.recv(200 - len(got))
    buf = bytearray(300)
    expect(sock.readinto(buf), 300)
    expect(got + bytes(buf), b"0123456789" * 50)
    sock.close()


def blocking_readinto_fills_the_buffer():
    """readinto of a blocking socket returns with a full buffer, or at the end.

    Source: py/stream.c, stream_readinto (mp_stream_read_exactly)

    Leans: nothing: lib/ reads with asyncio alone, which does not block
    """
    sock = _open(b"b")
    buf = bytearray(2900)
    expect((sock.readinto(buf), bytes(buf[-2:])), (2900, b"BB"))
    expect(sock.readinto(buf), 100, "what was left at the end")
    sock.close()


def sockets_are_few():
    """There are about ten sockets. The next one is ENFILE. A closed one is free again.

    Source: IDF Kconfig, LWIP_MAX_SOCKETS (10), and esp-idf issue 11882 (errno 23), and lwIP
    sockets.c

    Leans: lib/names/query.py closes in `finally`, and lib/mqtt/client.py, drop
    """
    _net()
    made = []
    try:
        for _ in range(40):
            made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    except OSError as error:
        wrong = error.errno
    else:
        raise AssertionError("40 sockets")
    finally:
        for sock in made:
            sock.close()
    again = socket.socket()
    again.close()
    expect(wrong, 23)
    truth(8 <= len(made) <= 16, "%d sockets" % len(made))
    return len(made)


def a_closed_socket_is_dead():
    """Nothing works on a closed socket but close().

    Source: ports/esp32/modsocket.c, socket_stream_ioctl (MP_STREAM_CLOSE)

    Leans: lib/mqtt/client.py, drop: closes while a task reads
    """
    sock = _open(b"e")
    sock.close()
    sock.close()
    raises(OSError, sock.recv, 1)
    raises(OSError, sock.send, b"x")


def a_datagram_has_a_sender():
    """recvfrom gives the bytes, and (address, port) of the sender.

    Source: docs/library/socket.rst, recvfrom, and ports/esp32/modsocket.c, socket_recvfrom

    Leans: lib/names/query.py, _answered, and ntptime
    """
    net = _net()
    where = socket.getaddrinfo(net["host"], net["port"])[0][-1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(3)
    expect(sock.sendto(b"hello", where), 5)
    got = sock.recvfrom(100)
    sock.setblocking(False)
    nothing = code(sock.recvfrom, 100)
    sock.close()
    expect(got, (b"hello", where))
    expect(nothing, EAGAIN)


def streams_over_sockets():
    """asyncio.StreamReader: readexactly, readline, drain, EOFError when the peer has closed.

    Source: docs/library/asyncio.rst, and extmod/asyncio/stream.py

    Leans: lib/mqtt/client.py
    """
    import asyncio

    async def talk():
        sock = _open(b"e")
        sock.setblocking(False)
        stream = asyncio.StreamReader(sock)
        stream.write(b"0123456789\nrest")
        await stream.drain()
        expect(await asyncio.wait_for(stream.readexactly(5), 3), b"01234")
        expect(await asyncio.wait_for(stream.readline(), 3), b"56789\n")
        expect(await asyncio.wait_for(stream.read(100), 3), b"rest")
        sock.close()
        sock = _open(b"c")
        sock.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.StreamReader(sock).readexactly(1), 3)
        except EOFError:
            return "ended"
        finally:
            sock.close()

    expect(asyncio.run(talk()), "ended")


def interrupts_of_time_go_on():
    """A blocking recv lets ticks pass. Its timeout is real time.

    Source: ports/esp32/modsocket.c, SOCKET_POLL_US (100 ms a turn)

    Leans: firmware/core/supervisor.py, _WATCHDOG_MS outlasts the longest block
    """
    sock = _open(b"l")
    start = time.ticks_ms()
    expect(sock.recv(10), b"late")
    truth(time.ticks_diff(time.ticks_ms(), start) >= 700, "a second was shorter")
    sock.close()
