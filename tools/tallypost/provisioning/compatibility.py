"""Checks that a configuration suits the board and the identity, so that every node can deliver."""

from __future__ import annotations

from dataclasses import replace

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.i18n import _
from tallypost.provisioning import settings
from tallypost.provisioning.identity import Identity

_DEFAULTS = {row[0]: row[4] for row in settings.table()}


def with_link(identity: Identity, has_keys: bool) -> Identity:
    """The identity with a link that uses its LoRaWAN keys, unless the configuration names one."""
    if not has_keys or "link" in identity.config:
        return identity
    link = "both" if identity.wifi_ssid else "lorawan"
    return replace(identity, config={**identity.config, "link": link})


def check(identity: Identity, has_keys: bool, board: Board) -> None:
    """Raises ToolError for a detector or a link that the board or the identity cannot have."""
    config = {**_DEFAULTS, **identity.config}
    detector, link = config["detector"], config["link"]
    features = board.features
    if detector not in features.detectors:
        raise ToolError(
            _("{board} does not support the detector '{detector}'").format(
                board=board.name, detector=detector
            ),
            _("Set detector to one of {names}.").format(names=", ".join(features.detectors)),
        )
    if link != "mqtt" and not features.lorawan:
        raise ToolError(
            _("link = {link}: {board} has no LoRaWAN").format(link=link, board=board.name),
            _("Set link = mqtt, or use another board."),
        )
    if link != "mqtt" and not has_keys:
        raise ToolError(
            _("link = {link}: the node has no LoRaWAN keys").format(link=link),
            _("Add --join-eui EUI, or --lorawan FILE."),
        )
    if link != "lorawan" and not features.wifi:
        raise ToolError(
            _("link = {link}: {board} has no Wi-Fi").format(link=link, board=board.name),
            _("Set link = lorawan, or use another board."),
        )


def warnings(identity: Identity) -> list[str]:
    """Settings that are allowed but are probably a mistake."""
    config = {**_DEFAULTS, **identity.config}
    if config["link"] == "lorawan":
        return []
    found = []
    if not identity.wifi_ssid:
        found.append(_("No Wi-Fi is named. The node cannot reach a broker. Add --wifi-ssid NAME."))
    elif not identity.wifi_pass:
        text = _("The Wi-Fi '{ssid}' has no password: anybody can take the place of it.")
        found.append(text.format(ssid=identity.wifi_ssid))
    if not config["mqtt_tls"]:
        found.append(_("MQTT is in plain text: everybody on the way reads counts and passwords."))
    if config["mqtt_host"] == _DEFAULTS["mqtt_host"]:
        found.append(
            _("mqtt_host is '{host}', which no node can reach. Add --set mqtt_host=HOST.").format(
                host=config["mqtt_host"]
            )
        )
    return found
