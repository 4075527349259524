"""The node's side of the seam: virtual time, and the pipe to the world.

Everything that the shims beside this file know of the world passes here. Time stands still while
the firmware computes and moves when it waits. `idle()` lets time pass until something is ready.
`stall()` lets it pass while interrupts cannot run (flash erase, a blocking socket call).

Wire, in both directions a 16-byte header and a body, little endian:

    request  op u8 | a u8 | n u16 | b u32 | now_us u64 | n bytes
    reply    immediate u8 | flags u8 | n u16 | value i32 | horizon_us u64 | n bytes

A reply grants time: nothing can happen before `horizon` that the node does not know yet. Its body
holds inputs, each `t_us u64 | port u8 | n u16 | n bytes`. The first `immediate` of them happen
now, the others at their times (the detector's bytes and edges, generated ahead). flags: 1 = inputs
not yet delivered are void (the sensor got bytes), 2 = the body is an answer, not inputs. WAIT has
a = 1 while a prompt waits for a person: time then passes as it does for the person. LOG has a = 1
for bytes, 0 for text, 2 to set b as the character that interrupts. The cause in RESET comes back
in the answer to HELLO.
"""

import struct
import sys

import uctypes
from micropython import const

NEVER = const(1 << 61)  # a small integer: a larger one costs an object at every comparison
_IRQ_QUEUE = const(8)  # MICROPY_SCHEDULER_DEPTH of the ESP32 port
POLL_COST_US = 100  # cost of every turn of the event loop: code takes time on the chip
_MASK = const(0x3FFF_FFFF)  # ticks wrap at 2^30
_EARLY_MS = const(5000)  # ticks start this long before the wrap, so that every run crosses it
_FIFO_BYTES = const(128)  # the UART's hardware buffer, the only one while flash is busy
CONSOLE = 0  # the port of UART0

# Operations. Those of ONE_WAY get no reply.
HELLO, WAIT, LOG, RESET, PROGRAM, ERASE, UART_WRITE, PIN_WRITE = range(8)
RTC_READ, RTC_WRITE, NVS, WIFI, RESOLVE, OPEN, SEND, CLOSE, UDP, SPI = range(8, 18)
GROW, ALLOCATE, MEMORY, HEAP_INFO, I2C = range(18, 23)
ONE_WAY = (LOG, PIN_WRITE, RTC_WRITE, RESET, MEMORY)

_VOID = const(1)
_ANSWER = const(2)

now = 0  # virtual microseconds since the scenario's start
_ticks_from = 0  # value of `now` at which the ticks are 0
horizon = 0
wdt_us = NEVER  # when the watchdog resets the chip
soon = 0  # time may pass freely up to here: the next input, the horizon or the watchdog
sinks = {}  # port -> function(data) for its inputs
fills = {}  # the same for frequent inputs: function(buffer, start, end)
irq_pending = []  # pin interrupts that wait for the scheduler
fifo_left = NEVER  # bytes the UART may still take: limited during a flash stall
at_prompt = 0  # 1: the node waits for a person
interrupted = False  # Ctrl-C came and has not been raised yet
ended = False  # this boot is over: SystemExit is not that of a program

_link = open(60, "r+b")  # simulator/world/chip/process.py puts it there
_outside = 0x10_0000_0000  # and memory here, for buffers that the chip has outside the heap


def outside(size):
    """A buffer that takes nothing of the firmware's heap, as those of the chip's drivers."""
    global _outside
    buffer = uctypes.bytearray_at(_outside, size)
    _outside += size
    return buffer


_PAYLOAD = const(2048)  # the longest request body: RTC memory. Longer data goes in pieces.
_tx = outside(16 + _PAYLOAD)
_tx_view = memoryview(_tx)
_tx_head = _tx_view[:16]
_rx = bytearray(16)
_BODY = const(2560)  # the world keeps its replies shorter
_pending = outside(_BODY)  # inputs generated ahead, from _pos to _end
_view = memoryview(_pending)
_pos = 0
_end = 0
_next_us = NEVER  # the next input: its time, port and length
_next_port = 0
_next_size = 0
_stalled = False
_calling = False  # a handler runs: no other one may
_owed_us = 0  # charged, and not spent yet


def request(op, a=0, b=0, payload=b""):
    """Ask the world and return the reply's (value, body). body is None unless it is an answer."""
    send(op, a, b, payload)
    return _reply()


def look(_op):
    """memory.py puts its own here, which may raise MemoryError."""


def send(op, a=0, b=0, payload=b""):
    """Send to the world. The operations of `ONE_WAY` get no reply."""
    look(op)
    n = len(payload)
    if n > _PAYLOAD:  # memory of other buffers follows
        raise ValueError("seam: %d bytes in one request" % n)
    struct.pack_into("<BBHIQ", _tx, 0, op, a, n, b, now)
    if n:
        _tx[16 : 16 + n] = payload
        _link.write(_tx_view[: 16 + n])
    else:
        _link.write(_tx_head)


def _reply():
    global horizon, _pos, _end, _next_us, interrupted
    try:
        got = _link.readinto(_rx)
    except KeyboardInterrupt:  # a signal for a program that is not busy any more
        interrupted = True
        got = _link.readinto(_rx)
    if got != 16:
        sys.exit()
    immediate, flags, n, value, horizon = struct.unpack("<BBHiQ", _rx)
    if flags & _ANSWER:
        _limit()  # the request may have scheduled an event
        return value, _link.read(n) if n else b""
    if flags & _VOID:
        _next_us = NEVER
    if n:
        if immediate and _next_us < NEVER:  # an input comes in between: it is never long
            body = _link.read(n)
            _hand_out(body, 0, immediate)
        else:
            _link.readinto(_view[:n])
            _pos, _end = _hand_out(_pending, 0, immediate), n
            _look_ahead()
    _limit()
    return value, None


def _limit():
    global soon
    soon = min(_next_us, horizon, wdt_us)


def _look_ahead():
    global _next_us, _next_port, _next_size
    if _pos < _end:
        # Byte by byte: unpacking would make a tuple, which fills the heap.
        v, p = _pending, _pos
        high = v[p + 4] | v[p + 5] << 8  # of a time of 48 bits: nine years
        _next_us = v[p] | v[p + 1] << 8 | v[p + 2] << 16 | v[p + 3] << 24 | high << 32
        _next_port = v[p + 8]
        _next_size = v[p + 9] | v[p + 10] << 8
    else:
        _next_us = NEVER


def feed(timeout_us):
    """The watchdog was fed. It resets the chip if that does not happen again in time."""
    global wdt_us
    was = wdt_us
    wdt_us = now + timeout_us
    if was <= soon or wdt_us < soon:
        _limit()


def ticks_ms():
    """Milliseconds as the chip counts them. Reading them takes a microsecond."""
    global now
    t = now + 1
    now = t
    return (t - _ticks_from) // 1000 & _MASK


def ticks_us():
    global now
    t = now + 1
    now = t
    return (t - _ticks_from) & _MASK


def _hand_out(body, pos, count):
    """Deliver the inputs that happen now. Return the position behind them."""
    for _ in range(count):
        _t, port, n = struct.unpack_from("<QBH", body, pos)
        pos += 11 + n
        _deliver(port, bytes(body[pos - n : pos]))
    return pos


def _deliver(port, data):
    if port in fills:
        fills[port](data, 0, len(data))
    elif port in sinks:
        sinks[port](data)


def _next_input():
    """Deliver the input that is due now."""
    global _pos
    start = _pos + 11
    port = _next_port
    _pos = end = start + _next_size
    _look_ahead()
    _limit()
    fill = fills.get(port)
    if fill:
        fill(_pending, start, end)
    elif port in sinks:
        sinks[port](_view[start:end])


def interrupt(handler, arg):
    """A pin interrupt: runs at once when the scheduler can. Otherwise it waits in a queue of 8, or
    is lost without an error."""
    if len(irq_pending) < _IRQ_QUEUE:
        irq_pending.append((handler, arg))
    if not _stalled:
        _catch_up()


def schedule(function, arg):
    """`micropython.schedule`: runs when time passes next. The queue is that of the pins."""
    if len(irq_pending) >= _IRQ_QUEUE:
        raise RuntimeError("schedule queue full")
    irq_pending.append((function, arg))


def _catch_up():
    """Run the waiting handlers, one at a time. Their errors are shown, no more
    (py/scheduler.c)."""
    global _calling
    while irq_pending and not _calling:
        handler, arg = irq_pending.pop(0)
        _calling = True
        try:
            handler(arg)
        except Exception as error:
            sys.modules["port_console"].print_exception(error)
        finally:
            _calling = False


def _settle():
    """Before a wait: spend what was charged, run what waits."""
    global _owed_us
    owed, _owed_us = _owed_us, 0
    stall(owed)


def idle(deadline, woken):
    """Let time pass until `woken()` or the deadline (us). Interrupts run. True if woken."""
    global now
    if irq_pending or _owed_us:
        _settle()
    if woken():
        return True
    while True:
        stop = soon if soon < deadline else deadline
        if stop > now:
            now = stop
        if _next_us <= now:
            _next_input()
        elif _granted():
            if interrupted:
                interrupt_now()
        else:
            if now >= deadline:
                return False
            continue
        if woken():
            return True


def interrupt_now():
    """Raise the exception of Ctrl-C: where a program waits, never in the middle of a request."""
    global interrupted
    interrupted = False
    raise KeyboardInterrupt


def _granted():
    """Get more time when the granted time is used up. The watchdog acts here."""
    if wdt_us <= now:
        reset("watchdog")
    if horizon > now:
        return False
    request(WAIT, at_prompt)
    return True


def stall(duration_us, flash=False):
    """Let time pass while no interrupt handler can run. With `flash` the UART's cannot run
    either."""
    global now, _stalled, fifo_left
    end = now + duration_us
    _stalled = True
    if flash:
        fifo_left = _FIFO_BYTES
    while True:
        stop = soon if soon < end else end
        if stop > now:
            now = stop
        if _next_us <= now:
            _next_input()
        elif not _granted() and now >= end:
            break
    _stalled = False
    fifo_left = NEVER
    _catch_up()


def spend(duration_us):
    """Charge computing time. It is short, so usually nothing happens in it."""
    global now
    if now + duration_us < soon:
        now += duration_us
    else:
        stall(duration_us)


def charge(duration_us):
    """Charge time in the middle of a file operation, in which no handler may run. What does not
    fit before the next event is spent when the node next waits."""
    global now, _owed_us
    if now + duration_us < soon:
        now += duration_us
    else:
        _owed_us += duration_us


def block(deadline, woken):
    """A blocking C call: like `idle`, but handlers only run every 100 ms (modsocket.c polls
    so)."""
    while not woken():
        if now >= deadline:
            return False
        step = min(deadline, now + 100_000)
        stall(min(step, max(now + 1, min(_next_us, horizon))) - now)
        if interrupted:
            interrupt_now()
    return True


def reset(cause):
    """End this boot of the node. The world starts the next one."""
    global ended
    ended = True
    send(RESET, 0, 0, cause.encode())
    sys.exit()


def hello():
    """Introduce the process and set the clock. Return a text and a random seed.

    The text, by lines: the reset cause, the chip, the board's description if a console is
    attached, the MAC address, and figures of the chip's memory.
    """
    global now, _ticks_from
    seed, body = request(HELLO)
    now = struct.unpack_from("<Q", body, 0)[0]
    _ticks_from = now + _EARLY_MS * 1000
    return body[8:].decode(), seed
