"""The health report: what a backend gets to see of a node, and that it is of this moment."""

import json

from console_node import CAR, Network, SerialNode
from core import health as module


def _node():
    node = SerialNode(count=5)
    node.uplink.confirm(3)
    node.counter.add(CAR)
    node.refused_commands, node.uplink.refused_acks = 4, 2
    node.link = Network(True)
    node.link.connects, node.link.failures = 7, 6
    node.wifi = Network(True)
    node.wifi.joins = 8
    node.clock.failures = 9
    return node


def test_the_report_has_every_part_and_can_be_sent():
    node = _node()
    report = node.health.report(node)
    assert len(json.dumps(report)) < 1000
    assert (report["v"], report["node"], report["boot"], report["uptime"]) == (1, "n1", 3, 100)
    assert report["queue"] == 2 and report["passages"] == 1
    assert report["ring"] == node.ring.stats() and report["detector"] == node.detector.stats()
    assert report["clock"] == {"source": 2, "age": 0, "failures": 9}
    assert report["link"] == {
        "refused_acks": 2, "rewinds": 0, "refused_commands": 4, "connects": 7, "failures": 6,
        "wifi_joins": 8,
    }  # fmt: skip
    assert "lora" not in report


def test_a_node_with_lorawan_alone_reports_it_in_place_of_mqtt():
    class Lora:
        def stats(self):
            return {"frames": 3}

    node = _node()
    node.link, node.lora = None, Lora()
    report = node.health.report(node)
    assert report["lora"] == {"frames": 3}
    assert report["link"] == {"refused_acks": 2, "rewinds": 0, "refused_commands": 4}


class Heap:
    """Stands for the module `gc`: so many bytes are free, once the garbage is collected."""

    def __init__(self, *free):
        self._free = iter(free)
        self._is_clean = False

    def collect(self):
        self._is_clean = True

    def mem_free(self):
        assert self._is_clean
        self._is_clean = False
        return next(self._free)


def test_the_fewest_free_bytes_are_kept():
    node = _node()
    module.gc = Heap(90_000, 70_000, 80_000)
    assert [node.health.look(), node.health.look()] == [90_000, 70_000]
    report = node.health.report(node)
    assert (report["heap_free"], report["heap_free_min"]) == (80_000, 70_000)
