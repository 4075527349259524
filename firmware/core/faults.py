"""Expected trouble: its exceptions, the codes a fault leaves behind across a reset, its reply."""

TASK_DIED = 1  # a task ended with an exception
STALLED = 2  # a task made no progress
STORAGE = 3  # the ring cannot be written
RADIO = 4  # the LoRaWAN radio or modem cannot be used


class ConfigError(Exception):
    """A configuration value is not acceptable; the message names key, value and range."""


class CommandError(Exception):
    """A command is refused; the message goes back to whoever sent it."""


def refusal(name, why):
    """The reply that says why not. name: the command's id, None when it had none."""
    return {"v": 1, "id": name, "ok": False, "error": str(why)}
