"""Faults: exceptions for expected trouble, codes of reported faults, the error reply."""

TASK_DIED = 1  # a task ended with an exception
STALLED = 2  # a task made no progress within its bound
STORAGE = 3  # the ring cannot be written
RADIO = 4  # the LoRaWAN radio or modem cannot be used
LOOP_ENDED = 5  # an exception ended the event loop
STARVED = 6  # the network has no memory left to connect with
SAFE_MODE = 7  # many starts have failed: nothing is counted
TRIAL_FAILED = 8  # under a new configuration nothing was acknowledged: the last good one is back

# The reply on the console when the heap has no room for a better one.
NO_MEMORY = b'\r\n{"v":1,"id":null,"ok":false,"error":"no memory"}\r\n'


class ConfigError(Exception):
    """A configuration value is not acceptable. The message names key, value and range."""


class CommandError(Exception):
    """A command is refused. The message goes back to the sender."""


def refusal(name, why):
    """The error reply to a command. name: the command's id, None when it had none."""
    return {"v": 1, "id": name, "ok": False, "error": str(why)}
