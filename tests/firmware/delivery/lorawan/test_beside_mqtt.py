"""LoRaWAN beside MQTT: silent while MQTT works, stands in when it fails, gives way again."""

from lora_net import Net
from ring import INTERVAL


class Mqtt:
    """Outbox and link of MQTT."""

    def __init__(self, sent, confirmed):
        self.sent, self.confirmed = sent, confirmed
        self.confirms = confirmed > 0
        self.up = True

    def done(self):
        return self.confirmed if self.confirms else self.sent

    def is_up(self):
        return self.up


def both(count=10, sent=10, confirmed=8):
    net = Net(count)
    mqtt = Mqtt(sent, confirmed)
    net.primary = mqtt, mqtt
    net.restart()
    return net, mqtt


def test_while_mqtt_is_up_nothing_is_sent():
    net, _mqtt = both()
    assert net.run(86_400) == []


def test_a_short_failure_changes_nothing():
    net, mqtt = both()
    for _ in range(5):
        mqtt.up = False
        assert net.run(29 * 60) == []
        mqtt.up = True
        assert net.run(60) == []


def test_after_half_an_hour_lorawan_continues_after_the_confirmed_record():
    net, mqtt = both()
    mqtt.up = False
    net.run(3600)
    assert 1790 <= net.device.sent[0][0] <= 1860
    assert net.ring.cursor(1) == (10, 8)
    assert net.on(1)[0][0][:2] == (10, 10) and min(net.held) == 8  # 8: the repetition


def test_without_a_confirming_backend_lorawan_continues_after_the_sent_record():
    net, mqtt = both(12, 11, 0)
    mqtt.up = False
    net.run(3600)
    assert net.on(1)[0][0][:2] == (12, 12) and net.ring.cursor(1) == (12, 0)


def test_lorawan_is_silent_when_mqtt_is_back_and_no_record_is_missing():
    net, mqtt = both()
    mqtt.up = False
    net.run(6 * 3600, counting=True)
    mqtt.up = True
    net.run(60)
    before = len(net.device.sent)
    for _ in range(4):
        net.close_interval()
    net.run(6 * 3600)
    assert len(net.device.sent) == before
    over_mqtt = range(mqtt.done() + 1, net.ring.next_seq)  # its own cursor has not moved
    assert set(net.held) <= set(over_mqtt) | {8}
    for n in over_mqtt:
        assert net.ring.read(n, bytearray(600))[0] == INTERVAL


def test_a_second_failure_begins_after_the_records_that_mqtt_has_sent_meanwhile():
    net, mqtt = both()
    mqtt.up = False
    net.run(3600)
    mqtt.up = True
    for _ in range(40):
        net.close_interval()
    mqtt.sent = mqtt.confirmed = 48
    net.run(3600)
    mqtt.up = False
    net.heard.clear()
    net.run(3600)
    assert net.on(1)[0][0][:2] == (50, 50) and len(net.on(1)) == 1


def test_answers_still_leave_when_mqtt_is_back():
    net, mqtt = both()
    mqtt.up = False
    net.run(3600)
    net.command(1, 77)
    mqtt.up = True
    net.run(60)
    assert net.on(5) == [b"\x01\x4d\x00"]
