"""The health report: what a backend gets to see of a node, and that it is of this moment."""

import json

from console_node import CAR, Network, SerialNode
from core.health import report


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
    found = report(node)
    assert len(json.dumps(found)) < 1000
    assert (found["v"], found["node"], found["boot"], found["uptime"]) == (1, "n1", 3, 100)
    assert found["queue"] == 2 and found["passages"] == 1
    assert found["ring"] == node.ring.stats() and found["detector"] == node.detector.stats()
    assert found["clock"] == {"source": 2, "age": 0, "failures": 9}
    assert found["link"] == {
        "refused_acks": 2, "rewinds": 0, "refused_commands": 4, "connects": 7, "failures": 6,
        "wifi_joins": 8,
    }  # fmt: skip
    assert "lora" not in found


def test_a_node_with_lorawan_alone_reports_it_in_place_of_mqtt():
    class Lora:
        def stats(self):
            return {"frames": 3}

    node = _node()
    node.link, node.lora = None, Lora()
    found = report(node)
    assert found["lora"] == {"frames": 3}
    assert found["link"] == {"refused_acks": 2, "rewinds": 0, "refused_commands": 4}
