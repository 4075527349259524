"""Exceptions of expected trouble, and the codes a fault leaves behind across a reset."""

TASK_DIED = 1  # a task ended with an exception
STALLED = 2  # a task made no progress
STORAGE = 3  # the ring cannot be written
RADIO = 4  # the LoRaWAN radio or modem cannot be used


class ConfigError(Exception):
    """A configuration value is not acceptable; the message names key, value and range."""


class CommandError(Exception):
    """A command is refused; the message goes back to whoever sent it."""
