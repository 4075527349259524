"""The configuration in force. `schema.py` checks and stores one, and is seldom in memory."""

BLOB_BYTES_MAX = 1500  # of a blob in NVS


class Settings:
    """Values by key (`settings["mqtt_host"]`), all of them present. `hash` tells them apart."""

    def __init__(self, values, hash):
        self._values = values
        self.hash = hash

    def __getitem__(self, key):
        return self._values[key]

    def shown(self):
        """All values, to be read and not changed: on a heap in use a copy may find no room."""
        return self._values

    def public(self):
        """A copy of all values. None of them is secret."""
        return dict(self._values)


def view_blob(nvs, key, bytes_max=BLOB_BYTES_MAX):
    """Return a blob of NVS as a memoryview. None when it is missing or longer than `bytes_max`."""
    buf = bytearray(bytes_max)
    try:
        return memoryview(buf)[: nvs.get_blob(key, buf)]
    except OSError:
        return None


def read_blob(nvs, key, bytes_max=BLOB_BYTES_MAX):
    """Return a blob of NVS as bytes, as `view_blob`."""
    view = view_blob(nvs, key, bytes_max)
    return None if view is None else bytes(view)
