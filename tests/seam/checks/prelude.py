"""The beginning of every script of checks: how a check reports its result.

The host sends this text in front of an area's own, with `P` filled in: the wires and the network.
A check is a function. Its value is shown. Lines to the host:

    @begin NAME    @pass NAME SEEN    @fail NAME WHY    @skip NAME WHY    @end AREA
"""

import sys
import time

P = {}


class Skip(Exception):
    """The check cannot be made here. The text names the missing part."""


class _Prelude:
    pass


def need(key, what):
    """The value of the wiring file, or of an option, under `key`."""
    if P.get(key) is None:
        raise Skip(what)
    return P[key]


def expect(got, wanted, what=""):
    if got != wanted:
        raise AssertionError("%s%r, not %r" % (what and what + ": ", got, wanted))


def truth(condition, what):
    if not condition:
        raise AssertionError(what)


def raises(kind, function, *args):
    """The exception that the call raises. It must be of this kind."""
    try:
        got = function(*args)
    except kind as error:
        return error
    raise AssertionError("no %s, but %r" % (kind.__name__, got))


def code(function, *args):
    """The number of the OSError that the call raises."""
    return raises(OSError, function, *args).errno


def took_ms(function, *args):
    start = time.ticks_ms()
    function(*args)
    return time.ticks_diff(time.ticks_ms(), start)


def until(condition, ms=3000):
    """Wait for it. False if it does not come."""
    start = time.ticks_ms()
    while not condition():
        if time.ticks_diff(time.ticks_ms(), start) > ms:
            return False
        time.sleep_ms(2)
    return True


def say(kind, name, text=""):
    sys.stdout.write("@%s %s %s\n" % (kind, name, str(text).replace("\n", " | ")))


if P.get("counting"):  # its firmware has started the watchdog, which nothing stops
    import machine

    machine.WDT(timeout=120_000).feed()


def run(area, checks):
    for name, check in checks:
        name = area + "." + name
        say("begin", name)
        try:
            seen = check()
        except Skip as why:
            say("skip", name, why)
        except Exception as error:
            say("fail", name, error if isinstance(error, AssertionError) else repr(error))
        else:
            say("pass", name, "" if seen is None else seen)
    say("end", area)


_prelude = _Prelude()
for _name in ("P", "Skip", "need", "expect", "truth", "raises", "code", "took_ms", "until", "say"):
    setattr(_prelude, _name, globals()[_name])
sys.modules["prelude"] = _prelude
