"""Whether what a node is told fits its board and itself: none may go out that cannot deliver."""

from __future__ import annotations

from dataclasses import replace

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.provisioning import settings
from tallypost.provisioning.identity import Identity

_DEFAULTS = {row[0]: row[4] for row in settings.table()}


def complete(who: Identity, has_keys: bool) -> Identity:
    """With a link that uses the LoRaWAN keys it gets, unless the configuration names one."""
    if not has_keys or "link" in who.config:
        return who
    link = "both" if who.wifi_ssid else "lorawan"
    return replace(who, config={**who.config, "link": link})


def check(who: Identity, has_keys: bool, board: Board) -> None:
    """Raises ToolError for a detector or link that the board, or the identity, has not."""
    config = {**_DEFAULTS, **who.config}
    detector, link = config["detector"], config["link"]
    have = board.features
    if detector not in have.detectors:
        hint = f"detector: one of {', '.join(have.detectors)}"
        raise ToolError(f"{board.name} cannot have the detector '{detector}'", hint)
    if link != "mqtt" and not have.lorawan:
        raise ToolError(
            f"link = {link}: {board.name} has no LoRaWAN", "link = mqtt, or another board"
        )
    if link != "mqtt" and not has_keys:
        raise ToolError(f"link = {link}: the node has no LoRaWAN keys", "--join-eui, or --lorawan")
    if link != "lorawan" and not have.wifi:
        raise ToolError(f"link = {link}: {board.name} has no Wi-Fi", "link = lorawan")


def doubts(who: Identity) -> list[str]:
    """What is allowed, and hardly meant."""
    config = {**_DEFAULTS, **who.config}
    if config["link"] == "lorawan":
        return []
    found = [] if who.wifi_ssid else ["no Wi-Fi is named: it cannot reach a broker"]
    if config["mqtt_host"] == _DEFAULTS["mqtt_host"]:
        found.append(f"mqtt_host is '{config['mqtt_host']}', which no node can reach")
    return found
