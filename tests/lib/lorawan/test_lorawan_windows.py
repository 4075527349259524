"""Times and frequencies of the receive windows (TS001-1.0.4, 3.3)."""

from lorawan_node import SECOND, Node, freq3, refused

from lorawan.mac_core import SENT
from lorawan.radio import RX, Radio
from lorawan.regions.region import airtime_us


def _link_adr(rate):
    return bytes((3, rate << 4, 7, 0, 1))


def test_both_windows_open_after_a_frame():
    node = Node(radio=Radio(error_us=5000, drift_ppm=0))
    node.obey(_link_adr(5))
    node.mac.send(1, b"x", node.now)
    sent, (rx1, rx2) = node.exchange()
    assert rx1.open == sent.end + SECOND - 5000
    assert rx2.open == sent.end + 2 * SECOND - 5000
    assert (rx1.freq, rx1.sf, rx1.bw) == (sent.freq, 7, 125_000)
    assert (rx2.freq, rx2.sf, rx2.bw) == (869_525_000, 12, 125_000)
    assert rx1.symbols == 16 and rx2.symbols == 7  # 10 ms more than the six symbols


def test_a_long_delay_widens_the_window_by_the_drift():
    for delay in (1, 5, 15):
        node = Node(radio=Radio(error_us=3000, drift_ppm=100))
        node.obey(bytes((8, delay)))
        node.mac.send(1, b"x", node.now)
        sent, (rx1, rx2) = node.exchange()
        assert rx1.open == sent.end + delay * SECOND - 3000 - 100 * delay
        assert rx2.open == sent.end + (delay + 1) * SECOND - 3000 - 100 * (delay + 1)


def test_windows_follow_the_settings_of_the_network():
    node = Node()
    node.obey(_link_adr(4) + b"\5\x23" + freq3(869_500_000))
    for index in range(3):
        node.obey(bytes((0x0A, index)) + freq3(869_450_000 + index * 50_000))
    node.mac.send(1, b"x", node.now)
    sent, (rx1, rx2) = node.exchange()
    index = (868_100_000, 868_300_000, 868_500_000).index(sent.freq)
    assert rx1.freq == 869_450_000 + index * 50_000
    assert rx1.sf == 10  # DR4 - 2
    assert (rx2.freq, rx2.sf) == (869_500_000, 9)


def test_the_second_window_is_left_out_only_after_a_frame_for_this_device():
    node = Node()
    node.mac.send(1, b"x", node.now)
    _, windows = node.exchange(rx1=node.downlink())
    assert len(windows) == 1
    bad = bytearray(node.downlink())
    bad[-1] ^= 1
    for data in (bytes(bad), b"", b"\x60", bytes(300)):
        node.mac.send(1, b"x", node.now)
        _, windows = node.exchange(rx1=data)
        assert len(windows) == 2
    node.mac.send(1, b"x", node.now)
    node.exchange(rx1=bytes(bad), rx2=node.downlink(port=5, payload=b"z"))
    assert ("down", 5, b"z", -80, 7) in node.events()


def test_the_request_comes_before_the_window_by_the_lead():
    node = Node(radio=Radio(lead_us=7000))
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.mac.tx_done(sent.end)
    assert node.mac.wake_us == sent.end + SECOND - 10_050 - 7000
    assert node.mac.poll(node.mac.wake_us - 1) is None
    assert node.mac.poll(node.mac.wake_us).kind == RX


def test_a_window_that_was_missed_is_counted_and_the_next_one_opened():
    node = Node()
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.mac.tx_done(sent.end)
    assert node.mac.poll(sent.end + SECOND + 500_000) is None
    assert node.mac.health()["late"] == 1
    node.now = node.mac.wake_us
    request = node.mac.poll(node.now)
    assert request.kind == RX and request.freq_hz == 869_525_000
    node.mac.rx_timeout(request.open_us + 200_000)
    assert node.events() == [(SENT, None, 1)]


def test_a_radio_that_does_not_answer_ends_the_transmission():
    node = Node()
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.now = node.mac.wake_us
    assert node.now > sent.end
    assert node.mac.poll(node.now) is None
    assert node.mac.health()["radio"] == 1
    assert node.events() == [(SENT, None, 1)]
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.mac.tx_done(sent.end)
    for _ in range(2):
        assert node.mac.poll(node.mac.wake_us).kind == RX
        assert node.mac.poll(node.mac.wake_us) is None
    assert node.mac.health()["radio"] == 3
    assert node.events() == [(SENT, None, 1)]


def test_a_report_of_the_radio_out_of_turn_changes_nothing():
    node = Node()
    node.mac.tx_done(5)
    node.mac.rx_timeout(5)
    node.mac.rx_done(5, node.downlink(), 0, 0)
    assert node.mac.wake_us is None and node.events() == []
    node.mac.send(1, b"x", node.now)
    sent = node.transmit()
    node.mac.rx_timeout(node.now)
    node.mac.rx_done(node.now, node.downlink(), 0, 0)
    assert len(node.listen(sent)) == 2


def test_an_error_budget_beyond_any_window_is_refused():
    refused(lambda: Node(radio=Radio(error_us=100_000)))
    refused(lambda: Radio(error_us=-1))


def test_a_window_has_time_for_the_longest_frame():
    node = Node()
    node.mac.send(1, b"x", 0)
    sent = node.transmit()
    node.mac.tx_done(sent.end)
    for second in (1, 2):
        assert node.mac.poll(node.mac.wake_us).kind == RX
        longest_us = airtime_us(12, 125_000, 255, False)
        left_us = node.mac.wake_us - sent.end - second * SECOND - longest_us
        assert 0 < left_us < 3 * SECOND, left_us
        assert node.mac.poll(node.mac.wake_us) is None, "the chip reports nothing"
    assert node.mac.health()["radio"] == 2 and node.events() == [(SENT, None, 1)]
