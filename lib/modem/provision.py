"""The settings of a modem, checked before they are sent.

An error names the key and its range, never the value, because one of the values is secret.
"""

from modem.codes import octets

DIALECTS = ("rui3", "e5", "rn2483")
_LENGTHS = (("lora_dev_eui", 8), ("lora_join_eui", 8), ("lora_app_key", 16))


def load_dialect(name):
    """The module of a dialect. ValueError for an unknown one."""
    # RAM: a board has one modem, and loads the tables of this one alone.
    if name == "rui3":
        from modem import rui3 as found
    elif name == "e5":
        from modem import e5 as found
    elif name == "rn2483":
        from modem import rn2483 as found
    else:
        raise ValueError("lora_modem is none of " + ", ".join(DIALECTS))
    return found


class Provision:
    """settings: lora_dev_eui, lora_join_eui (8 bytes), lora_app_key (16 bytes), lora_region,
    lora_data_rate (0..5, for joining, and without ADR for all frames), lora_adr (0, 1).

    Raises ValueError. keys: the first three as upper-case digits.
    """

    def __init__(self, dialect, settings):
        self.keys = tuple([_hex(settings, key, size) for key, size in _LENGTHS])
        region = settings["lora_region"]
        if region not in dialect.REGIONS:
            choices = ", ".join(sorted(dialect.REGIONS))
            raise ValueError("lora_region = %s: this modem has %s" % (region, choices))
        self.region = dialect.REGIONS[region]
        self.data_rate = settings["lora_data_rate"]
        if self.data_rate not in (0, 1, 2, 3, 4, 5):
            raise ValueError("lora_data_rate out of 0..5")
        if settings["lora_adr"] not in (0, 1):
            raise ValueError("lora_adr out of 0..1")
        self.adr = 1 if settings["lora_adr"] else 0


def _hex(settings, key, size):
    """The value as upper-case digits. It is given as bytes or as a text of digits."""
    value = settings[key]
    if isinstance(value, str):
        value = octets(value.encode())
    if value is None or len(value) != size:
        raise ValueError("%s is not %d bytes (%d hexadecimal digits)" % (key, size, 2 * size))
    return digits(value)


def digits(data):
    """Bytes as upper-case hexadecimal digits."""
    return b"".join([b"%02X" % c for c in data])
