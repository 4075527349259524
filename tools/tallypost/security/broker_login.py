"""How the tools log in at a broker: user, password, and the authority that they trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _


@dataclass(frozen=True)
class Login:
    """How to reach a broker. ca: authorities, PEM; None: no TLS."""

    user: str = ""
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None


ANYBODY = Login()


def use_tls(client: mqtt.Client, ca: Path) -> None:
    """Use TLS, and trust only brokers with a certificate of this authority. Raises ToolError."""
    try:
        client.tls_set(ca_certs=str(ca))
    except (OSError, ValueError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else error
        raise ToolError(
            f"{ca}: {reason}", _("Name a file with the certificate of the authority, PEM.")
        ) from error
