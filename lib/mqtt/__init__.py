"""MQTT for unattended service, on top of umqtt.simple. See README.md."""

from mqtt.backoff import Backoff
from mqtt.client import Client
from mqtt.frame import FrameFull
from mqtt.reader import LinkDown

__all__ = ("Backoff", "Client", "FrameFull", "LinkDown")
