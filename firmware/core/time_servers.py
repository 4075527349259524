"""Compares the time servers, so that one forged answer moves no clock far. Loaded once an hour."""

from micropython import const

from sntp import ask

_STEP_ALONE_S = const(60)  # a larger one needs a second source


async def agreed(hosts, network, utc, is_fresh):
    """Ask the servers in turn, until one says what the clock says. Raises OSError.

    utc: of the clock, 0 while it is unknown. A step of more than a minute needs two servers that
    agree. One is enough for a clock that was not synchronised for long: is_fresh is False.
    """
    found, asked, why = [], "", None
    for host in hosts:
        try:
            address = await network.resolve(host)
            if address == asked:  # the same server is no second source
                continue
            found.append(await ask(address, network.rng))
        except OSError as error:
            why = error
            continue
        asked = address
        if abs(found[-1] - utc) <= _STEP_ALONE_S:
            return found[-1]
    if not found:
        raise why
    if len(found) > 1 and abs(found[1] - found[0]) > _STEP_ALONE_S:
        raise OSError("ntp: the servers differ by %d s" % (found[1] - found[0]))
    if len(found) == 1 and is_fresh:
        raise OSError("ntp: a step of %d s, no second source" % (found[0] - utc))
    return found[-1]
