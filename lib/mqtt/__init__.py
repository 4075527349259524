"""MQTT for unattended service, on top of umqtt.simple. See README.md."""

from mqtt.backoff import Backoff
from mqtt.client import Client
from mqtt.connection import LinkDown, Refused
from mqtt.frame import FrameFull

__all__ = ("Backoff", "Client", "FrameFull", "LinkDown", "Refused")
