"""Infrared light barriers. See README.md."""


def driver(kind):
    """Return the class of a driver. kind: `detector` of a configuration.

    Only the wanted driver is loaded. Each takes 10 to 13 KB.
    """
    if kind == "beam":
        from beam.dual import DualBeam

        return DualBeam
    from beam.single import SingleBeam

    return SingleBeam
