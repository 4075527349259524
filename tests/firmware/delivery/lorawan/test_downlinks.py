"""Downlinks are confirmed, carried out and answered. A wrong downlink is refused."""

import random
import sys

from lora_net import Net

OK, UNKNOWN, BAD_VALUE, MALFORMED, FOREIGN_LOG = 0, 1, 2, 3, 4
STATE, ANSWER = 4, 5


def ready(count=4):
    net = Net(count)
    net.run(600)
    net.heard.clear()
    return net


def answers(net, seconds=600):
    net.run(seconds)
    return [(body[1], body[2], body[3:].decode()) for body in net.on(ANSWER)]


def test_an_ack_moves_the_cursor_and_is_not_answered():
    net = ready()
    net.ack(3)
    assert net.ring.cursor(1) == (4, 3) and net.link.queue_depth() == 1
    assert answers(net) == [] and net.link.stats()["refused"] == 0


def test_an_ack_never_moves_back():
    net = ready()
    net.ack(3)
    net.ack(1)
    assert net.ring.cursor(1) == (4, 3)


def test_an_ack_of_a_record_that_was_not_sent_moves_both_cursors():
    net = Net(4)
    net.ack(4)
    net.run(600)
    assert net.ring.cursor(1) == (4, 4) and net.numbers() == []


def test_wrong_acks_are_refused_and_counted():
    net = ready()
    net.ack(3, log_id=net.ring.log_id ^ 1)
    net.ack(5)
    net.ack(0xFFFFFFFF)
    net.device.on_down(10, b"\x01\x12")
    net.device.on_down(10, b"\x01" * 222)
    assert net.ring.cursor(1) == (4, 0) and net.link.stats()["refused"] == 5
    assert answers(net) == []


def test_commands_are_answered_under_their_id():
    net = ready()
    net.command(1, 9)
    net.command(2, 255)
    assert answers(net) == [(9, OK, ""), (255, OK, "")]
    assert len(net.on(STATE)) == 1, "the state was asked for"


def test_a_reboot_comes_after_its_answer():
    net = ready()
    net.command(4)
    assert net.resets == 0
    net.device.outcomes = [False, OSError("dead")]
    assert answers(net) == [(7, OK, "")] and net.resets == 1


def test_configuration_is_stored_or_refused():
    net = ready()
    net.device.on_down(12, b"\x01\x05\x01\x00\x3c\x08\xff\xd3")
    net.device.on_down(12, b"\x01\x06\x01\x00\x07")
    assert net.stored == [{"interval_min": 60, "radar_mount_deg": -45}]
    (done, refused) = answers(net)
    assert done == (5, OK, "after a reboot")
    assert refused[:2] == (6, BAD_VALUE) and refused[2].startswith("config: interval_min = 7")


def test_a_wrong_resend_is_refused_with_the_reason():
    net = ready()
    net.resend(2, 9, 1)
    net.resend(0, 3, 2)
    net.resend(3, 2, 3)
    net.command(3, 4, b"\0" * 10)
    found = answers(net)
    assert [one[:2] for one in found] == [
        (1, BAD_VALUE), (2, BAD_VALUE), (3, BAD_VALUE), (4, FOREIGN_LOG)
    ]  # fmt: skip
    assert "newest is 4" in found[0][2] and net.numbers(2) == []


def test_a_command_without_room_for_its_answer_is_not_carried_out():
    net = ready()
    for name in range(6):
        net.command(1, name)
    net.device.on_down(12, b"\x01\x06\x01\x00\x05")
    assert net.stored == [] and net.link.stats()["refused"] == 3
    net.ack(4)
    assert net.ring.cursor(1) == (4, 4), "an ack needs no answer"
    assert [one[0] for one in answers(net)] == [0, 1, 2, 3]


def test_the_state_counts_refusals():
    net = ready()
    for _ in range(300):
        net.device.on_down(99, b"")
    net.command(2)
    net.run(600)
    assert net.on(STATE)[0][-1] == 255 and net.link.stats()["refused"] == 300


def test_random_downlinks_change_nothing_and_stop_nothing():
    net = ready()
    random.seed(9)
    for _ in range(3000):
        port = random.choice((0, 1, 10, 11, 12, 13, 224))
        size = random.choice((0, 1, 2, 3, 7, 13, random.getrandbits(8)))
        net.device.on_down(port, bytes(random.getrandbits(8) & 0xFD | 2 for _ in range(size)))
    assert (
        net.ring.cursor(1) == (4, 0) and net.stored == [] and net.link.stats()["refused"] == 3000
    )
    net.close_interval()
    net.run(3600)
    assert 5 in net.held


class Full:
    """Stands for the handlers while the heap is full."""

    @staticmethod
    def handle_downlink(*_args):
        raise MemoryError


def test_a_downlink_that_finds_no_memory_is_refused_and_may_come_again():
    net = ready()
    sys.modules["delivery.lorawan.downlink_handlers"] = Full
    net.ack(3)
    assert net.ring.cursor(1) == (4, 0) and net.link.stats()["refused"] == 1
    del sys.modules["delivery.lorawan.downlink_handlers"]
    net.ack(3)
    assert net.ring.cursor(1) == (4, 3) and net.link.stats()["refused"] == 1


def test_a_requested_record_that_fails_is_tried_again_after_a_minute():
    net = ready(1)
    net.anchor(3, 50, 1_800_000_000)
    net.run(600)
    net.heard.clear()
    for number in (1, 2):  # an interval, and an event
        del net.device.sent[:]
        net.device.outcomes = [True, OSError("radio"), True]  # the answer, then twice the record
        net.resend(number, number)
        begun = net.uptime_s()
        net.run(300)
        times = [t - begun for t, port, _payload in net.device.sent if port != ANSWER]
        assert times == [60], times
        assert net.link.radio_errors == number


def test_an_interval_that_may_hold_one_road_user_is_refused_over_the_air():
    net = ready()
    for minutes in (1, 4, 0, -5):
        net.device.on_down(12, b"\x01\x07\x01" + (minutes & 0xFFFF).to_bytes(2, "big"))
    assert net.stored == []
    for answer in answers(net):
        assert answer == (7, BAD_VALUE, "interval_min needs a signature")
