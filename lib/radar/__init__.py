"""Radar detectors, one module each. See README.md."""


def driver(kind):
    """Return the class of a driver and the rate of its UART. kind: `detector` of a configuration.

    Only the wanted driver is loaded. Each takes 10 to 18 KB. The Doppler module has no UART: it
    takes pulse counters, and its rate is 0.
    """
    if kind == "ld2450":
        from radar.ld2450 import LD2450

        return LD2450, 256_000
    if kind == "ops243":
        from radar.ops243 import BAUDS, OPS243

        return OPS243, BAUDS[0]
    if kind == "doppler":
        from radar.doppler import Doppler

        return Doppler, 0
    from radar.ld2451 import LD2451

    return LD2451, 115_200
