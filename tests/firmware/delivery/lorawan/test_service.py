"""LoRaWAN on a node: its device or a fault, its tasks, the network's time, the state frame."""

import asyncio
import json
import random
import sys
import time

import app
import build

LOADED = set(sys.modules)  # by a node until it has read its configuration

from board_parts import FakeBoard, FakeClock, FakeNvs, FakeProgress  # noqa: E402
from config.schema import accept  # noqa: E402
from core.clock import NTP, Clock  # noqa: E402
from core.faults import RADIO  # noqa: E402
from core.version import VERSION  # noqa: E402
from delivery.lorawan.build import build_lorawan  # noqa: E402
from delivery.lorawan.device import open_device  # noqa: E402
from delivery.lorawan.service import LoraService, Resumed  # noqa: E402
from nor import Nor  # noqa: E402
from ring import Ring  # noqa: E402

UTC = 1_800_000_000
KEYS = {"lora_dev_eui": b"d" * 8, "lora_join_eui": b"j" * 8, "lora_app_key": b"k" * 16}


class Device:
    """The interface of a LoRaWAN device."""

    def __init__(self):
        self.on_down = self.on_time = self.on_reset = None

    async def run(self):
        await asyncio.sleep(60)


class Certified(Device):
    """A device that has the certification package."""

    version = None

    def certify(self, version):
        self.version = version


class Node(app.App):
    """The application as far as LoRaWAN needs it."""

    def __init__(self, nvs=None, **settings):
        super().__init__(FakeBoard(nvs or FakeNvs(**KEYS)))
        self.config = accept(settings)
        self.elapsed = FakeClock()
        self.uptime_s = self.elapsed.seconds
        self.set_to = []
        self.clock = Clock(self.set_to.append, self.uptime_s, None, self.log)
        self.clock.source = 0
        self.ring = Ring(Nor(), random.getrandbits)
        self.ring.open()
        self.boot = 3
        self.counter = self.detector = self.memory = self
        self.rec, self.state, self.supply_mv, self.temp_c = self, 1, 3300, -7

    def need(self, size):
        assert size < 10_000

    def look(self):
        return 80 * 1024 + 5


def _service(device=None, **settings):
    node = Node(**settings)
    return node, LoraService(node, device or Device())


# --- modules


def test_a_node_without_lorawan_does_not_load_it():
    for name in (
        "delivery.lorawan.build", "delivery.lorawan.scheduler", "delivery.lorawan.service",
        "delivery.lorawan.batcher", "delivery.lorawan.downlink_queue", "wire.frame", "wire.note",
        "wire.downlink", "wire.merge",
    ):  # fmt: skip
        assert name not in LOADED, name
    assert "counting.counter" in LOADED and "core.supervisor" in LOADED


def test_a_node_with_lorawan_alone_does_not_load_mqtt():
    for name in ("mqtt", "umqtt", "delivery.mqtt.link", "delivery.mqtt.build", "ntptime"):
        assert name not in LOADED and name not in sys.modules, name
    assert "delivery.lorawan.scheduler" in sys.modules


# --- the device


def test_the_board_makes_the_device_from_keys_log_and_region():
    node, asked = Node(lora_region="AS923"), []

    def make(*args):
        asked.append(args)
        return "device"

    node.board.lorawan = make
    assert open_device(node) == "device"
    assert asked == [([b"d" * 8, b"j" * 8, b"k" * 16], node.log, "AS923")]


def test_a_radio_that_cannot_be_used_is_a_fault_with_its_reason():
    def fails(error):
        def make(_keys, _log, _region):
            raise error

        return make

    without = dict(KEYS)
    del without["lora_app_key"]
    for nvs, make, reason in (
        (None, None, "this board has none"),
        (None, fails(OSError("no answer")), "no answer"),
        (None, fails(ValueError("AppKey has 15 bytes")), "AppKey has 15 bytes"),
        (FakeNvs(**without), fails(None), "lora_app_key is not in NVS: run `tallypost provision`"),
    ):
        node = Node(nvs)
        if make:
            node.board.lorawan = make
        assert open_device(node) is None
        assert node.faults == [(RADIO, "lorawan: " + reason)]


# --- certification


def test_the_certification_package_is_off_unless_the_configuration_wants_it():
    for wanted, version in ((0, None), (1, bytes(int(n) for n in VERSION.split(".")) + b"\0")):
        device, node = Certified(), Node(lora_certification=wanted)
        build_lorawan(node, device)
        assert device.version == version
        lines = [line for line in node.log.tail() if line]
        assert len(lines) == wanted and all(" warn " in line for line in lines)


def test_a_modem_certifies_itself():
    node = Node(lora_certification=1)
    build_lorawan(node, Device())
    assert "the modem has its own" in node.log.tail()[-1]


def test_the_certification_package_may_restart_the_node_and_shut_itself():
    device, node = Device(), Node(lora_certification=1, lora_airtime_s=77)
    resets = []
    node.reset_soon = lambda: resets.append(1)
    build_lorawan(node, device)
    device.on_reset(False)
    assert resets == [1] and "config" not in node.nvs.kept
    device.on_reset(True)
    kept = json.loads(node.nvs.kept["config"])
    assert (kept["lora_certification"], kept["lora_airtime_s"]) == (0, 77) and resets == [1, 1]


# --- beside MQTT, or alone


def test_lorawan_alone_is_the_uplink_of_the_node():
    node = Node()
    build_lorawan(node, Device())
    assert node.uplink is node.lora and node.lora.stats


def test_beside_mqtt_lorawan_is_another_link():
    node = Node()
    node.link = node.uplink = mqtt = object()
    build_lorawan(node, Device())
    assert node.uplink is mqtt and node.lora is not mqtt and node.lora.stats


def test_the_device_makes_progress_each_time_that_its_task_is_resumed():
    progress, steps = FakeProgress(), []

    async def device():
        for step in range(3):
            steps.append(step)
            await asyncio.sleep_ms(1)
        try:
            await asyncio.wait_for_ms(_sleep(), 5)
        except asyncio.TimeoutError:
            steps.append("late")
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(_await(Resumed(device(), progress)))
        await asyncio.sleep_ms(50)
        count = len(progress.reports)
        assert steps == [0, 1, 2, "late"] and count >= 5
        await asyncio.sleep_ms(20)
        assert len(progress.reports) == count, "it sleeps"
        task.cancel()
        await asyncio.sleep_ms(1)
        assert task.done()

    asyncio.run(main())


async def _await(awaitable):
    await awaitable


async def _sleep():
    await asyncio.sleep(60)


# --- the network's time


def test_the_networks_time_is_brought_forward_to_now():
    node, service = _service()
    service.set_time(UTC, time.ticks_add(time.ticks_ms(), -7_700))
    assert node.set_to == [UTC + 8] and node.clock.source == 3
    service.set_time(float(UTC + 100), time.ticks_ms())
    assert node.set_to[1] == UTC + 100


def test_ntp_goes_before_the_networks_time():
    node, service = _service()
    node.clock.set(UTC, NTP)
    node.elapsed.go(7199)
    service.set_time(UTC + 50, time.ticks_ms())
    assert node.clock.source == NTP
    node.elapsed.go(1)
    service.set_time(UTC + 50, time.ticks_ms())
    assert node.clock.source == 3 and node.set_to == [UTC, UTC + 50]


def test_an_implausible_time_is_refused_and_counted():
    node, service = _service()
    for utc in (0, 1_500_000_000, 4_102_444_800, 1 << 33):
        service.set_time(utc, time.ticks_ms())
    assert node.set_to == [] and node.clock.source == 0 and node.clock.failures == 4


# --- configuration and state


def test_configuration_is_added_to_the_one_in_force():
    node, service = _service(lora_airtime_s=100)
    service.store_config({"interval_min": 60})
    stored = json.loads(node.nvs.kept["config"])
    assert stored["interval_min"] == 60 and stored["lora_airtime_s"] == 100


def test_a_state_frame_has_the_state_of_the_node():
    node, service = _service()
    assert service.state() == (3, 1, 1, 0, node.config.hash, 3300, -7, 80)


# --- links by configuration


class Links:
    """Stands for the modules that build the links; notes which are built."""

    def __init__(self, has_radio):
        self.has_radio = has_radio
        self.built = []
        for name in ("lorawan.build", "mqtt.build"):
            sys.modules["delivery." + name] = self
        build.open_device = self.open_device

    def open_device(self, _app):
        return "device" if self.has_radio else None

    def build_mqtt(self, _app):
        self.built.append("mqtt")

    def build_lorawan(self, _app, device):
        self.built.append(device)


def test_links_are_built_as_configured_and_mqtt_stands_in_for_a_radio():
    for link, has_radio, built in (
        ("mqtt", True, ["mqtt"]), ("lorawan", True, ["device"]),
        ("both", True, ["mqtt", "device"]), ("lorawan", False, ["mqtt"]),
        ("both", False, ["mqtt"]),
    ):  # fmt: skip
        links = Links(has_radio)
        build.build_links(Node(link=link))
        assert links.built == built, link
