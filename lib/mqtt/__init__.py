"""MQTT for unattended service, on top of umqtt.simple. See README.md."""

from mqtt.backoff import Backoff
from mqtt.client import Client, FrameFull, LinkDown, Refused

__all__ = ("Backoff", "Client", "FrameFull", "LinkDown", "Refused")
