"""Detectors with infrared light. See README.md."""


def driver(kind):
    """Return the class of a driver. kind: `detector` of a configuration.

    Only the wanted driver is loaded. Each takes 6 to 13 KB.
    """
    if kind == "beam":
        from beam.dual import DualBeam as found
    elif kind == "pir_pair":
        from beam.pir_pair import PirPair as found
    elif kind == "vl53l1x":
        from beam.vl53l1x import VL53L1X as found
    else:
        from beam.single import SingleBeam as found
    return found
