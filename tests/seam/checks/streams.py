"""select, asyncio, streams of our own, the console."""

import asyncio
import io
import select
import sys
import time

from prelude import code, expect, raises, took_ms, truth


class _Pipe(io.IOBase):
    """A stream that is ready when its own flag is set."""

    def __init__(self, data=b""):
        self.data = data
        self.ended = False

    def ioctl(self, op, flags):
        if op != 3:
            return 0
        return ((1 if self.data or self.ended else 0) | 4) & flags

    def read(self, size):
        if not self.data:
            return b"" if self.ended else None
        data, self.data = self.data[:size], self.data[size:]
        return data

    def readinto(self, buf):
        data = self.read(len(buf))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def write(self, data):
        self.data += bytes(data)
        return len(data)


def poll_knows_its_streams():
    """register twice changes the flags, unregister forgets, modify of a stranger is ENOENT.

    Source: docs/library/select.rst, and extmod/modselect.c

    Leans: asyncio's queue of streams
    """
    expect((select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP), (1, 4, 8, 16))
    poll, pipe = select.poll(), _Pipe()
    expect(code(poll.modify, pipe, 1), 2)
    poll.register(pipe)
    expect(poll.poll(0), [(pipe, 4)])
    poll.register(pipe, select.POLLIN)
    expect(poll.poll(0), [])
    pipe.data = b"x"
    expect(poll.poll(0), [(pipe, 1)])
    poll.unregister(pipe)
    expect(poll.poll(0), [])
    poll.unregister(pipe)


def poll_waits_as_long_as_told():
    """A time-out in milliseconds. Nothing ready is an empty list, with ipoll too.

    Source: docs/library/select.rst, poll.poll

    Leans: asyncio.sleep_ms between interrupts
    """
    poll, pipe = select.poll(), _Pipe()
    poll.register(pipe, select.POLLIN)
    ms = took_ms(lambda: expect(poll.poll(60), []))
    truth(50 <= ms < 400, "%d ms" % ms)
    expect(list(poll.ipoll(0)), [])
    pipe.data = b"x"
    expect([(item[0], item[1]) for item in poll.ipoll(-1)], [(pipe, 1)])


def tasks_take_turns_by_time():
    """Tasks run in the order in which they are due, and of creation among equals.

    Source: docs/library/asyncio.rst, and extmod/modasyncio.c (task queue)

    Leans: firmware/app.py
    """
    got = []

    async def one(name, ms):
        await asyncio.sleep_ms(ms)
        got.append(name)

    async def main():
        tasks = [asyncio.create_task(one(n, ms)) for n, ms in (("c", 60), ("a", 20), ("b", 20))]
        got.append("main")
        for task in tasks:
            await task

    ms = took_ms(lambda: asyncio.run(main()))
    expect(got, ["main", "a", "b", "c"])
    truth(55 <= ms < 500, "%d ms" % ms)


def a_wait_ends_in_time():
    """wait_for raises asyncio.TimeoutError, an Exception, and cancels the awaited task.

    Source: docs/library/asyncio.rst, wait_for, and extmod/asyncio/funcs.py

    Leans: lib/mqtt/client.py, lib/radar, lib/modem/at_client.py
    """
    got = []

    async def slow():
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            got.append("cancelled")
            raise

    async def quick():
        return 7

    async def main():
        expect(await asyncio.wait_for(quick(), 1), 7)
        try:
            await asyncio.wait_for_ms(slow(), 30)
        except asyncio.TimeoutError:
            got.append("late")

    truth(issubclass(asyncio.TimeoutError, Exception), "TimeoutError")
    ms = took_ms(lambda: asyncio.run(main()))
    expect(got, ["cancelled", "late"])
    truth(ms < 1000, "%d ms" % ms)


def cancelling_is_no_exception():
    """CancelledError passes `except Exception`. Cancelling a finished task returns False.

    Source: docs/library/asyncio.rst, Task.cancel, and extmod/asyncio/core.py

    Leans: firmware/core/supervisor.py: `except Exception` around every task
    """
    got = []

    async def waits():
        try:
            await asyncio.sleep(5)
        except Exception:
            got.append("caught")
        finally:
            got.append("left")

    async def main():
        task = asyncio.create_task(waits())
        await asyncio.sleep_ms(5)
        expect((task.done(), task.cancel()), (False, True))
        try:
            await task
        except asyncio.CancelledError:
            got.append("cancelled")
        expect((task.done(), task.cancel()), (True, False))

    truth(not issubclass(asyncio.CancelledError, Exception), "it is an Exception")
    asyncio.run(main())
    expect(got, ["left", "cancelled"])


def an_error_reaches_who_waits():
    """An error of a task comes out of `await task`.

    Source: docs/library/asyncio.rst, create_task, and extmod/asyncio/core.py

    Leans: firmware/core/supervisor.py, fail
    """

    async def fails():
        await asyncio.sleep_ms(1)
        raise ValueError("mine")

    async def main():
        task = asyncio.create_task(fails())
        try:
            await task
        except ValueError as error:
            return str(error)

    expect(asyncio.run(main()), "mine")


def events_wake_all():
    """Event: set wakes every task that waits. It stays set until it is cleared.

    Source: docs/library/asyncio.rst, Event, and extmod/asyncio/event.py

    Leans: firmware/delivery/mqtt/wifi.py, firmware/delivery/mqtt/publisher.py, lib/mqtt/client.py
    """
    got = []

    async def waits(event, name):
        await event.wait()
        got.append(name)

    async def main():
        event = asyncio.Event()
        tasks = [asyncio.create_task(waits(event, n)) for n in "ab"]
        await asyncio.sleep_ms(5)
        expect((got, event.is_set()), ([], False))
        event.set()
        await event.wait()
        for task in tasks:
            await task
        event.clear()
        expect(event.is_set(), False)

    asyncio.run(main())
    expect(got, ["a", "b"])


def a_lock_lets_one_in():
    """Lock: one at a time, in the order of asking. An error that passes releases it.

    Source: docs/library/asyncio.rst, Lock, and extmod/asyncio/lock.py

    Leans: lib/mqtt/client.py, lib/lorawan/device/end_device.py
    """
    got = []

    async def works(lock, name):
        async with lock:
            got.append(name)
            await asyncio.sleep_ms(5)
            got.append(name)

    async def main():
        lock = asyncio.Lock()
        try:
            async with lock:
                raise ValueError
        except ValueError:
            pass
        tasks = [asyncio.create_task(works(lock, n)) for n in "abc"]
        for task in tasks:
            await task
        expect(lock.locked(), False)

    asyncio.run(main())
    expect("".join(got), "aabbcc")


def a_flag_is_used_up():
    """ThreadSafeFlag: one task waits. Waking clears the flag. A flag set before the wait counts.

    Source: docs/library/asyncio.rst, ThreadSafeFlag, and extmod/asyncio/event.py

    Leans: lib/beam, lib/radio/chip.py, lib/radar
    """

    async def main():
        flag = asyncio.ThreadSafeFlag()
        flag.set()
        flag.set()
        await asyncio.wait_for_ms(flag.wait(), 100)
        try:
            await asyncio.wait_for_ms(flag.wait(), 20)
        except asyncio.TimeoutError:
            pass
        else:
            raise AssertionError("it was set twice")
        flag.set()
        flag.clear()
        try:
            await asyncio.wait_for_ms(flag.wait(), 20)
        except asyncio.TimeoutError:
            return "cleared"

    expect(asyncio.run(main()), "cleared")


def readers_of_our_own_streams():
    """StreamReader works on any io.IOBase with ioctl: readexactly, readinto, EOFError, drain.

    Source: docs/library/asyncio.rst, "TCP stream connections", and extmod/asyncio/stream.py

    Leans: lib/mqtt/client.py, tests/firmware
    """

    async def main():
        pipe = _Pipe()
        stream = asyncio.StreamReader(pipe)

        async def later():
            for piece in (b"ab", b"cdef"):
                await asyncio.sleep_ms(10)
                pipe.data += piece
            await asyncio.sleep_ms(10)
            pipe.ended = True

        task = asyncio.create_task(later())
        expect(await stream.readexactly(4), b"abcd")
        buf = bytearray(10)
        expect((await stream.readinto(buf), bytes(buf[:2])), (2, b"ef"))
        try:
            await stream.readexactly(1)
        except EOFError:
            pass
        else:
            raise AssertionError("no EOFError at the end")
        await task
        stream.write(b"out")
        await stream.drain()
        expect(pipe.data, b"out")

    asyncio.run(main())


def the_queue_of_streams_is_reachable():
    """asyncio.core._io_queue.queue_read and queue_write can be yielded from a generator.

    Source: extmod/asyncio/core.py, IOQueue (not documented)

    Leans: lib/mqtt/connection.py, connect, and lib/names/query.py, _answered
    """
    pipe = _Pipe()

    def waits(queue):
        yield getattr(asyncio.core._io_queue, queue)(pipe)

    async def main():
        await asyncio.wait_for_ms(waits("queue_write"), 500)
        try:
            await asyncio.wait_for_ms(waits("queue_read"), 20)
        except asyncio.TimeoutError:
            pass
        pipe.data = b"x"
        await asyncio.wait_for_ms(waits("queue_read"), 500)
        return "woken"

    expect(asyncio.run(main()), "woken")


def a_loop_can_be_run_again():
    """asyncio.run works a second time, after an error of the first.

    Source: docs/library/asyncio.rst, run

    Leans: firmware/build.py (waits for provisioning first), firmware/app.py
    """

    async def fails():
        raise ValueError

    async def works():
        await asyncio.sleep_ms(1)
        return 3

    raises(ValueError, asyncio.run, fails())
    expect(asyncio.run(works()), 3)


def the_console_is_polled():
    """sys.stdin can be polled and is not ready while no byte is typed. Its buffer exists.

    Source: docs/library/sys.rst, stdin, and shared/runtime/sys_stdio_mphal.c, stdio_obj ioctl

    Leans: a REPL beside the firmware, and mpremote
    """
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    start = time.ticks_ms()
    expect(poll.poll(20), [])
    truth(time.ticks_diff(time.ticks_ms(), start) >= 15, "it did not wait")
    truth(hasattr(sys.stdin, "buffer"), "no buffer")
