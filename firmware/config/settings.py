"""The configuration in force. How one is checked and stored is in config.py, needed seldom."""

MAX_BYTES = 1500  # of a blob in NVS


class Settings:
    """Values by key (`settings["mqtt_host"]`), all of them present; `hash` tells them apart."""

    def __init__(self, values, hash):
        self._values = values
        self.hash = hash

    def __getitem__(self, key):
        return self._values[key]

    def shown(self):
        """Everything, to be read and not changed: on a heap in use a copy may find no room."""
        return self._values

    def public(self):
        """Everything as a dict: there is no secret in it."""
        return dict(self._values)


def read_blob(nvs, key, most=MAX_BYTES):
    """A blob of NVS of `most` bytes as bytes, or None."""
    buf = bytearray(most)
    try:
        return bytes(memoryview(buf)[: nvs.get_blob(key, buf)])
    except OSError:
        return None
