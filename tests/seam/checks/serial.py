"""UART 1, with TX wired to RX where a wire is needed."""

import time

from machine import UART
from prelude import expect, need, raises, took_ms, truth, until


def _loop(**settings):
    tx, rx = need("uart", "no wire: uart of the wiring file")
    settings.setdefault("timeout", 0)
    settings.setdefault("timeout_char", 2)
    uart = UART(1, 115200, tx=tx, rx=rx, **settings)
    uart.read()
    return uart


def other_numbers_are_refused():
    """There is no UART 9.

    Source: ports/esp32/machine_uart.c, mp_machine_uart_make_new

    Leans: boards/
    """
    raises(ValueError, UART, 9)


def nothing_there_is_none():
    """With timeout=0 nothing blocks: read and readinto say None, any() says 0.

    Source: docs/library/machine.UART.rst, and machine_uart.c, mp_machine_uart_read, and
    py/stream.c

    Leans: lib/radar, lib/modem/at_client.py
    """
    uart = _loop()
    expect((uart.any(), uart.read(), uart.read(5)), (0, None, None))
    expect(uart.readinto(bytearray(5)), None)
    truth(took_ms(uart.read, 5) < 15, "read blocks")


def timeout_waits_and_gives_up():
    """timeout is the wait for the first byte, in milliseconds. Then read gives None.

    Source: docs/library/machine.UART.rst, init, and machine_uart.c, mp_machine_uart_read

    Leans: boards/common/esp32_board.py relies on timeout=0 being the other case
    """
    uart = _loop(timeout=80)
    got = []
    ms = took_ms(lambda: got.append(uart.read(1)))
    expect(got, [None])
    truth(70 <= ms < 400, "%d ms" % ms)


def bytes_come_back():
    """Written bytes arrive in order. Results: write() returns its length, readinto() the number of
    bytes.

    Source: docs/library/machine.UART.rst, and py/stream.c, stream_readinto

    Leans: lib/radar/ld24xx.py, lib/modem/at_client.py
    """
    uart = _loop()
    sent = bytes(range(100))
    expect(uart.write(sent), 100)
    truth(until(lambda: uart.any() >= 100), "%d of 100 arrived" % uart.any())
    buf = bytearray(300)
    view = memoryview(buf)
    expect(uart.readinto(view[10:40]), 30)
    expect(bytes(buf[10:40]), sent[:30])
    expect(uart.any(), 70)
    expect(uart.readinto(buf, 20), 20)
    expect(uart.readinto(buf), 50, "more room than bytes")
    expect(bytes(buf[:50]), sent[50:])
    expect(uart.any(), 0)


def the_buffer_holds_what_was_asked_for():
    """rxbuf=4096 keeps 3000 unread bytes.

    Source: docs/library/machine.UART.rst, rxbuf, and machine_uart.c, uart_driver_install

    Leans: boards/common/esp32_board.py: 16 s of a radar
    """
    uart = _loop(rxbuf=4096)
    block = bytes(range(250))
    for _ in range(12):
        uart.write(block)
        time.sleep_ms(30)
    truth(until(lambda: uart.any() >= 3000, 500), "%d of 3000 bytes" % uart.any())
    expect(uart.read(), block * 12)


def overflow_is_silent():
    """A full buffer loses new bytes without an error. The first ones are kept.

    Source: machine_uart.c (no event queue is read), and IDF, UART driver, ring buffer full

    Leans: lib/radar/ld24xx.py: resynchronises, and firmware/core/health.py: counts
    """
    uart = _loop(rxbuf=256)
    block = bytes(range(250))
    for _ in range(6):
        uart.write(block)
        time.sleep_ms(30)
    time.sleep_ms(50)
    got = uart.read()
    truth(200 <= len(got) <= 640, "%d bytes of 1500 in a buffer of 256" % len(got))
    expect(got[:200], block[:200])


def init_forgets_what_came():
    """Setting the UART up again drops received, unread bytes.

    Source: machine_uart.c, mp_machine_uart_init_helper (driver deleted and installed anew)

    Leans: lib/radar/ops243.py: another speed
    """
    uart = _loop(rxbuf=512)
    uart.write(b"old")
    truth(until(lambda: uart.any() == 3), "nothing came")
    uart.init(115200, rxbuf=1024)
    expect(uart.any(), 0)


def poll_tells_bytes_and_room():
    """poll says POLLIN when bytes wait, and POLLOUT always.

    Source: machine_uart.c, mp_machine_uart_ioctl (MP_STREAM_POLL)

    Leans: asyncio.StreamReader of lib/radar and lib/modem
    """
    import select

    uart = _loop()
    poll = select.poll()
    poll.register(uart, select.POLLIN)
    expect(poll.poll(0), [])
    uart.write(b"x")
    got = poll.poll(1000)
    expect([(item[0] is uart, item[1]) for item in got], [(True, select.POLLIN)])
    poll.modify(uart, select.POLLIN | select.POLLOUT)
    expect(poll.poll(0)[0][1], select.POLLIN | select.POLLOUT)
    uart.read()
    expect(poll.poll(0)[0][1], select.POLLOUT)


def a_stream_reader_takes_what_is_there():
    """asyncio.StreamReader.readinto over a UART returns as soon as anything came.

    Source: docs/library/asyncio.rst, Stream.readinto, and extmod/asyncio/stream.py

    Leans: lib/radar/ld24xx.py, lib/radar/ops243.py, lib/modem/at_client.py
    """
    import asyncio

    uart = _loop()
    reader = asyncio.StreamReader(uart)

    async def talk():
        buf = bytearray(100)
        uart.write(b"abc")
        n = await asyncio.wait_for_ms(reader.readinto(buf), 1000)
        while n < 3:
            n += await asyncio.wait_for_ms(reader.readinto(memoryview(buf)[n:]), 1000)
        try:
            await asyncio.wait_for_ms(reader.readinto(buf), 40)
        except asyncio.TimeoutError:
            return bytes(buf[:n])

    expect(asyncio.run(talk()), b"abc")
