"""Diagnostics of a node for a technician: check, identity."""

import asyncio
import json
import sys

from board_parts import FakePin, FakeUart, FakeWlan, beam_settings, radar_settings
from commands.registry import handle
from console_node import CAR, Network, SerialNode
from sensor_line import VirtualTime


def test_identity_holds_no_secret():
    node = SerialNode()
    node.nvs.kept["wifi_pass"] = node.nvs.kept["mqtt_pass"] = b"hunter2"
    found = node.ask(id=1, cmd="identity")["result"]
    assert (found["node"], found["board"], found["boot"]) == ("n1", "esp32_generic", 3)
    assert found["config"] == "%08x" % node.config.hash
    assert found["log"] == "%08x" % node.ring.log_id
    for cmd in ("identity", "check"):
        assert "hunter2" not in json.dumps(node.ask(id=1, cmd=cmd))


def test_check_reports_every_part_and_fits_an_mqtt_message():
    node = SerialNode(count=5, mqtt_host="broker.example", mqtt_port=8883)
    node.add_fault(4, "lorawan: this board has none")
    node.counter.rec.coverage, node.counter.rec.length = 80, 90
    reply = node.ask(id=1, cmd="check")
    assert len(json.dumps(reply)) < 1800
    found = reply["result"]
    assert found["node"] == "n1" and found["reset"] == "power_on" and found["uptime"] == 100
    assert found["faults"] == [[4, "lorawan: this board has none"]]
    assert found["detector"]["kind"] == "ld2451" and found["detector"]["stats"]["frames_ok"] == 12
    assert found["wifi"] == {
        "ssid": "street", "up": True, "reason": 0, "ip": "192.0.2.7", "rssi": -61
    }  # fmt: skip
    assert found["mqtt"]["host"] == "broker.example" and found["mqtt"]["port"] == 8883
    assert found["mqtt"]["signs"] is False
    assert found["ring"]["storage"] == "flash" and found["ring"]["newest"] == 5
    assert found["ring"]["opened"] == 1 and found["ring"]["sectors"] > 10
    assert found["interval"]["cov"] == 80 and found["heap"][0] >= found["heap"][1] > 0
    assert found["idf"] == [28_000, 19_000, 24_000] and found["heap_size"] > found["heap"][0]
    assert found["supply_mv"] is None and found["temp_c"] is None and found["lora"] is None


def test_status_reports_both_heaps_and_the_largest_block():
    node = SerialNode()
    node.clock.failures = 0
    found = node.ask(id=1, cmd="status")["result"]
    assert (found["idf_free"], found["idf_largest"], found["idf_free_min"]) == (
        28_000, 19_000, 24_000
    )  # fmt: skip
    assert found["heap_size"] > found["heap_free"] >= found["heap_free_min"] > 0


def test_check_of_a_node_without_network_has_the_reason():
    node = SerialNode()
    node.wifi = node.link = Network(False)
    node.wifi.reason, node.link.error = 201, "refused by the broker, code 5"
    found = node.ask(id=1, cmd="check")["result"]
    assert found["wifi"] == {"ssid": "street", "up": False, "reason": 201}
    assert found["mqtt"]["error"] == "refused by the broker, code 5"


def test_check_of_a_node_that_loses_its_network_this_moment():
    class Lost(FakeWlan):
        def status(self, what=None):
            raise OSError("not connected")

    node = SerialNode()
    node.board.wlan = lambda: Lost(joined=True)
    found = node.ask(id=1, cmd="check")["result"]
    assert found["wifi"]["ip"] == "192.0.2.7" and found["wifi"]["rssi"] is None


def test_check_of_a_node_with_lorawan_alone_has_no_mqtt():
    class Lora:
        def stats(self):
            return {"station": {"joined": False}}

    node = SerialNode()
    node.lora, node.link = Lora(), None
    found = node.ask(id=1, cmd="check")["result"]
    assert found["lora"]["station"] == {"joined": False}
    assert found["wifi"] is None and found["mqtt"] is None


def test_check_over_mqtt_has_the_same_parts_as_on_the_console():
    node = SerialNode()
    over_serial = node.ask(id=1, cmd="check")["result"]
    over_mqtt = handle(node, b'{"id":1,"cmd":"check"}')
    assert set(over_mqtt["result"]) == set(over_serial)
    assert "known: calibrate, check" in handle(node, b'{"id":1,"cmd":"aim"}')["error"]


def test_a_tally_begun_on_the_console_may_end_over_mqtt():
    node = SerialNode()
    assert "tally by hand" in node.ask(id=1, cmd="calibrate", do="start")["result"]
    node.counter.add(CAR)
    stop = {"id": 2, "cmd": "calibrate", "do": "stop", "tally": {"forward": {"car": 1}}}
    assert handle(node, json.dumps(stop))["result"]["pass"]


def test_check_reports_levels_and_edges_of_the_beams():
    from beam.dual import DualBeam
    from beam.single import SingleBeam

    node = SerialNode(detector="beam")
    pins = FakePin(), FakePin()
    node.detector = DualBeam(*pins, beam_settings())
    _start(node.detector)
    assert node.ask(id=1, cmd="check")["result"]["detector"]["beams"] == [[False, 0], [False, 0]]
    pins[1].set(0)
    node.detector.tick(0)
    assert node.ask(id=1, cmd="check")["result"]["detector"]["beams"] == [[False, 0], [True, 1]]
    node.detector = SingleBeam(pins[0], beam_settings())
    _start(node.detector)
    for level in (0, 1, 0):
        pins[0].set(level)
    node.detector.tick(0)
    assert node.detector.beams() == [(True, 3)]


def _start(detector):
    asyncio.run(detector.start())


def test_a_radar_that_has_been_quiet_is_asked_at_once():
    from radar import ld24xx
    from radar.ld2451 import LD2451

    clock = VirtualTime(ld24xx)
    radar = LD2451(FakeUart(), radar_settings())
    clock.us += 500_000
    assert radar.probe() == 500 and not radar.tick(clock.ticks_ms())
    clock.us += 5_500_000
    assert radar.probe() == 6000
    assert radar.tick(clock.ticks_ms()), "wait is to run anew, and to ask"


class Full:
    """Stands for the registry of commands while the heap is full."""

    @staticmethod
    def handle(*_args):
        raise MemoryError


def test_a_command_that_finds_no_memory_is_refused_and_counted():
    node = SerialNode()
    kept, sys.modules["commands.registry"] = sys.modules["commands.registry"], Full
    assert node.command(b'{"id":1,"cmd":"check"}') == {
        "v": 1, "id": None, "ok": False, "error": "no memory"
    }  # fmt: skip
    assert node.refused_commands == 1
    sys.modules["commands.registry"] = kept
    assert node.command(b'{"id":1,"cmd":"ping"}')["ok"]
