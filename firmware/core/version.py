"""The firmware's version, as it is reported."""

VERSION = "0.1.0"
