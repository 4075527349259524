# heap: 12m
"""Nodes that close their intervals in the same second do not send in the same second."""

from lora_net import Net

COUNTS, ANSWER = 1, 5


def seeded(seed):
    """A source of random bits: 16 at a time, uniform enough for 100 nodes."""
    state = [seed]

    def bits(n):
        state[0] = (state[0] * 75 + 74) % 65537
        return state[0] & 0xFFFF

    return bits


def test_nodes_that_close_together_send_in_the_first_eighth_of_the_next_interval():
    moments = []
    for seed in range(12):
        net = Net()
        net.restart(seeded(seed * 5011 + 7))
        net.run(3 * 3600, counting=True)
        waits = [t % 900 for t, port, _payload in net.device.sent if port == COUNTS]
        assert len(waits) >= 10 and all(wait <= 112 + 30 for wait in waits), waits
        moments += waits
    assert len(set(moments)) > 60 and max(moments) > 80
    halves = [len([m for m in moments if (m < 56) is half]) for half in (True, False)]
    assert min(halves) > 30, halves


def test_after_a_start_the_first_frame_waits_at_random():
    first = []
    for seed in range(12):
        net = Net(3)
        net.restart(seeded(seed * 5011 + 7))
        net.run(600)
        first.append(net.device.sent[0][0])
    assert len(set(first)) > 8 and max(first) - min(first) <= 30


def test_an_answer_does_not_wait():
    net = Net()
    net.restart(lambda bits: 0xFFFF)
    net.device.on_down(11, b"\x02\x63\x00")  # an unknown command
    net.run(1)
    assert net.device.sent[0][1] == ANSWER
