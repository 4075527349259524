"""Builds delivery over MQTT: Wi-Fi, link, publisher, request handler, NTP. Needed once.

The bounds are the seconds within which each task has to report progress.
"""

from config.settings import read_blob
from delivery.mqtt.link import MqttLink
from delivery.mqtt.publisher import Publisher
from delivery.mqtt.requests import RequestHandler
from delivery.mqtt.wifi import Wifi
from micropython import const
from mqtt import Backoff

_NTP_FIRST_MS = const(4000)
_NTP_MAX_MS = const(300_000)
_WIFI_BOUND_S = const(300)  # the back-off takes up to 121 s
_LINK_BOUND_S = const(300)  # the back-off takes up to 121 s, connecting 60 s
_AUTHORITIES = ("mqtt_ca", "mqtt_ca2")
_PUBLISHER_BOUND_S = const(600)  # a message waits for others and a PUBACK, 60 s, some in a row
_CLOCK_BOUND_S = const(4500)  # an hour between two questions
_HEALTH_BOUND_S = const(1800)  # a quarter of an hour between two reports


def build_mqtt(app):
    """Give the application its Wi-Fi, link and uplink, and its supervisor their tasks."""
    config, rng, add = app.config, app.board.random, app.supervisor.add
    secrets = {}
    for key in ("wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass"):
        secrets[key] = (read_blob(app.nvs, key) or b"").decode()
    app.wifi = wifi = Wifi(
        app.board.wlan(), secrets["wifi_ssid"], secrets["wifi_pass"], Backoff(rng), app.log,
        rng=rng,
    )  # fmt: skip
    app.link = link = MqttLink(
        config, secrets, app.node, wifi, Backoff(rng), log=app.log,
        authorities=[der for key in _AUTHORITIES if (der := read_blob(app.nvs, key))],
    )  # fmt: skip
    link.hello = app.hello
    app.uplink = Publisher(
        app.ring, link, app.node, app.clock, uptime_s=app.uptime_s, boot=app.boot,
        mac_key=read_blob(app.nvs, "mac_key"),
    )  # fmt: skip
    clock = app.clock
    clock.backoff = Backoff(rng, _NTP_FIRST_MS, _NTP_MAX_MS)
    add("wifi", wifi.run, _WIFI_BOUND_S)
    add("link", link.run, _LINK_BOUND_S)
    add("publisher", app.uplink.run, _PUBLISHER_BOUND_S)
    hosts = (config["ntp_host"], config["ntp_host2"])
    add("clock", lambda progress: clock.run(hosts, wifi, progress), _CLOCK_BOUND_S)
    add("health", RequestHandler(app).report_health, _HEALTH_BOUND_S)
