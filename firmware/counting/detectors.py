"""Builds the configured detector on the board's lines. Needed once."""

import beam
import radar
from counting.no_detector import NoDetector


def build_detector(board, config, log):
    """Return a driver: start(), wait(), pop(), tick(now_ms), state, stats(). See lib/radar/README.

    On a board without the lines for it the driver counts nothing, and its state says so.
    """
    kind = config["detector"]
    try:
        if kind == "vl53l1x":
            return beam.driver(kind)(board.uart(0), config)
        if kind in ("beam", "beam_single", "pir_pair"):
            return _build_beams(board, config, kind)
        driver, baud = radar.driver(kind)
        return driver(board.uart(baud) if baud else board.beam_counters(), config)
    except OSError as error:
        log.warn("%s: %s", kind, error)
        return NoDetector()


def _build_beams(board, config, kind):
    driver, pins, counters = beam.driver(kind), board.beam_pins(), board.beam_counters()
    if kind != "beam_single":
        return driver(*pins, config, counters)
    return driver(pins[0], config, counters and counters[:1])
