"""The configured detector on the board's pins: each driver is imported by who needs it (RAM)."""


def build(board, config, log):
    """A driver with start(), wait(), pop(), tick(now_ms), state, stats(); see lib/radar/README.

    On a board without the lines for it, one that counts nothing and says so.
    """
    try:
        return _driver(board, config, config["detector"])
    except OSError as error:
        from counting.no_detector import NoDetector

        log.warn("%s: %s", config["detector"], error)
        return NoDetector()


def _driver(board, config, kind):
    if kind == "beam":
        from beam.dual import DualBeam

        return DualBeam(*board.beam_pins(), config, board.beam_counters())
    if kind == "beam_single":
        from beam.single import SingleBeam

        counters = board.beam_counters()
        return SingleBeam(board.beam_pins()[0], config, counters and counters[:1])
    if kind == "ld2450":
        from radar.ld2450 import LD2450

        return LD2450(board.uart(256_000), config)
    if kind == "ops243":
        from radar.ops243 import BAUDS, OPS243

        return OPS243(board.uart(BAUDS[0]), config)
    if kind == "doppler":
        from radar.doppler import Doppler

        return Doppler(board.beam_counters(), config)
    from radar.ld2451 import LD2451

    return LD2451(board.uart(115_200), config)
