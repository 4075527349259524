"""A node with LoRaWAN: the board's radio or a fault, the network's time, what is not loaded."""

import json
import random
import sys
import time

import app
import build

LOADED = set(sys.modules)  # by a node until it has read its configuration

from core.clock import NTP, Clock  # noqa: E402
from config.schema import accept  # noqa: E402
from board_parts import FakeClock, FakeLog, FakeNvs  # noqa: E402
from core.faults import RADIO  # noqa: E402
from delivery.lorawan.service import LoraNode  # noqa: E402
from nor import Nor  # noqa: E402
from ring import Ring  # noqa: E402
from core.version import VERSION  # noqa: E402

UTC = 1_800_000_000


class Station:
    def __init__(self):
        self.on_down = self.on_time = None

    def run(self):
        return "its task"


class Certified(Station):
    """A station that has the certification package."""

    version = None

    def certify(self, version):
        self.version = version


class App:
    """As much of the application as the link stands on; the board is a part of it."""

    def __init__(self, station=None, error=None):
        self.board = self.detector = self.health = self.counter = self.rec = self
        self.log, self.nvs = FakeLog(), FakeNvs()
        self.config = accept({"lora_airtime_s": 100})
        self._uptime = FakeClock()
        self.uptime_s = self._uptime.seconds
        self.set_to = []
        self.clock = Clock(self.set_to.append, self.uptime_s, None, self.log)
        self.clock.source = 0
        self.ring = Ring(Nor(), random.getrandbits)
        self.ring.open()
        self.boot, self.state, self.supply_mv, self.temp_c = 3, 1, 3300, -7
        self.faults = []
        self.link = self.uplink = self.lora = None
        self.station = station
        if station or error:
            self.lorawan = lambda nvs, log, region: self._made(region, station, error)

    def _made(self, region, station, error):
        assert region == self.config["lora_region"]
        if error:
            raise error
        return station

    def add_fault(self, code, reason):
        self.faults.append((code, reason))

    def reset_cause(self):
        return 1

    def look(self):
        return 80 * 1024 + 5

    def reset_soon(self):
        pass


def opened():
    made = App(Station())
    node = LoraNode(made)
    assert node.open()
    return made, node


def test_a_node_without_lorawan_does_not_load_it():
    for name in (
        "link_lorawan", "lora_node", "bundles", "orders", "errands", "airtime",
        "wire.frame", "wire.note", "wire.downlink", "wire.merge",
    ):  # fmt: skip
        assert name not in LOADED, name


def test_a_node_with_lorawan_alone_does_not_load_mqtt():
    for name in ("mqtt", "umqtt", "link_mqtt", "uplink", "wifi", "desk", "commands"):
        assert name not in LOADED and name not in sys.modules, name


def test_a_radio_that_cannot_be_used_is_a_fault_with_its_reason():
    for made, reason in (
        (App(), "this board has none"),
        (App(error=OSError("no answer")), "no answer"),
        (App(error=ValueError("AppKey has 15 bytes")), "AppKey has 15 bytes"),
    ):
        assert not LoraNode(made).open()
        assert made.faults == [(RADIO, "lorawan: " + reason)]


def test_the_certification_package_is_off_unless_it_is_wanted():
    for wanted, version in ((0, None), (1, bytes(int(n) for n in VERSION.split(".")) + b"\0")):
        made = App(Certified())
        made.config = accept({"lora_certification": wanted})
        node = LoraNode(made)
        assert node.open()
        for coro, _name in node.build()[1:]:
            coro.close()
        assert made.station.version == version
        assert [line[0] for line in made.log.lines] == (["warn"] if wanted else [])


def test_a_modem_certifies_itself():
    made, node = opened()
    made.config = accept({"lora_certification": 1})
    node.build()[1][0].close()
    assert "the modem has its own" in made.log.lines[-1][1]


def test_the_certification_package_may_restart_the_node_and_shut_itself():
    made, node = opened()
    made.config = accept({"lora_certification": 1, "lora_airtime_s": 77})
    resets = []
    node.reset_soon = lambda: resets.append(1)
    node.build()[1][0].close()
    made.station.on_reset(False)
    assert resets == [1] and "config" not in made.nvs.kept
    made.station.on_reset(True)
    kept = json.loads(made.nvs.kept["config"])
    assert (kept["lora_certification"], kept["lora_airtime_s"]) == (0, 77) and resets == [1, 1]


def test_alone_it_is_the_nodes_uplink():
    made, node = opened()
    tasks = node.build()
    assert made.uplink is made.lora and tasks[0] == ("its task", "station")
    tasks[1][0].close()


def test_beside_mqtt_it_is_another():
    made, node = opened()
    made.link = made.uplink = mqtt = object()
    tasks = node.build()
    assert made.uplink is mqtt and made.lora is not mqtt and made.lora.stats
    tasks[1][0].close()


def test_the_networks_time_is_brought_forward_to_now():
    made, node = opened()
    node.take_time(UTC, time.ticks_add(time.ticks_ms(), -7_700))
    assert made.set_to == [UTC + 8] and made.clock.source == 3
    node.take_time(float(UTC + 100), time.ticks_ms())
    assert made.set_to[1] == UTC + 100


def test_ntp_goes_before_the_networks_time():
    made, node = opened()
    made.clock.set(UTC, NTP)
    made._uptime.go(7199)
    node.take_time(UTC + 50, time.ticks_ms())
    assert made.clock.source == NTP
    made._uptime.go(1)
    node.take_time(UTC + 50, time.ticks_ms())
    assert made.clock.source == 3 and made.set_to == [UTC, UTC + 50]


def test_a_time_that_cannot_be_is_refused_and_counted():
    made, node = opened()
    for utc in (0, 1_500_000_000, 4_102_444_800, 1 << 33):
        node.take_time(utc, time.ticks_ms())
    assert made.set_to == [] and made.clock.source == 0 and made.clock.failures == 4


def test_configuration_is_added_to_the_one_in_force():
    made, node = opened()
    node.store_config({"interval_min": 60})
    stored = json.loads(made.nvs.kept["config"])
    assert stored["interval_min"] == 60 and stored["lora_airtime_s"] == 100


def test_the_state_of_the_node():
    made, node = opened()
    assert node.state() == (3, 1, 1, 0, made.config.hash, 3300, -7, 80)


class Building(app.App):
    """The application as far as its links go."""

    def __init__(self, link, lorawan):
        self.config = accept({"link": link})
        self.log = FakeLog()
        self.built = []
        self.tasks = []
        self.faults = []
        self.board = App(Station() if lorawan else None)
        self.ring, self.clock, self.nvs = self.board.ring, self.board.clock, None
        self.boot, self.uptime_s = 3, self.board.uptime_s
        build._build_mqtt = self._build_mqtt
        build.build_links(self, self.config, None)

    def _build_mqtt(self, _app, _config, _rng):
        self.built.append("mqtt")
        self.link = self.uplink = object()


def test_links_are_built_as_configured():
    for link, lorawan, built, tasks in (
        ("mqtt", True, ["mqtt"], 0), ("lorawan", True, [], 2), ("both", True, ["mqtt"], 2)
    ):  # fmt: skip
        made = Building(link, lorawan)
        assert made.built == built and len(made.tasks) == tasks and made.faults == [], link
        for coro, name in made.tasks:
            if name == "lorawan":
                coro.close()


def test_without_a_radio_mqtt_delivers_and_the_fault_is_told():
    for link in ("lorawan", "both"):
        made = Building(link, False)
        assert made.built == ["mqtt"] and made.faults[0][0] == RADIO and made.lora is None
