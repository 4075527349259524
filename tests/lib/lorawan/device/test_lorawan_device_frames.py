"""Frames of the device itself: requests for link check and time, and messages of the packages."""

from lorawan_node import SECOND, Node

from lorawan.device.device_frames import DeviceFrames
from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK

FIVE_MINUTES = 300 * SECOND


def _options(node, frames):
    """Options of an uplink of the application."""
    frames.add_requests(node.now)
    sent = node.send()
    frames.frame_done(node.now)
    return sent.options()


def test_a_silent_network_gets_a_link_check_in_every_eighth_uplink_from_32_on():
    node = Node()
    frames = DeviceFrames(node.mac)
    frames.time_received(node.now)  # no request for the time
    asked = [number for number in range(60) if LINK_CHECK in _options(node, frames)]
    assert asked == [32, 40, 48, 56]


def test_the_time_is_asked_for_every_five_minutes_until_it_is_known():
    node = Node()
    frames = DeviceFrames(node.mac)
    assert _options(node, frames) == bytes((DEVICE_TIME,))
    assert _options(node, frames) == b""
    node.now += FIVE_MINUTES
    assert _options(node, frames) == bytes((DEVICE_TIME,))
    frames.time_received(node.now)
    node.now += 6 * 3600 * SECOND - 30 * SECOND
    assert _options(node, frames) == b""
    node.now += 30 * SECOND
    assert _options(node, frames) == bytes((DEVICE_TIME,))


def test_a_new_session_asks_for_the_time_in_a_frame_of_its_own():
    node = Node()
    frames = DeviceFrames(node.mac)
    frames.time_received(node.now)
    frames.joined(node.now)
    assert frames.due_us() == node.now + 5 * SECOND
    assert frames.send(node.now)
    sent = node.exchange()[0]
    assert sent.options() == bytes((DEVICE_TIME,)) and sent.port() is None


def _app_time_requests(node, frames, numbers, heard=()):
    """Numbers of the DeviceTimeReq after which the application server is asked, too."""
    found = []
    for number in numbers:
        node.now += FIVE_MINUTES
        if number in heard:
            node.send(rx1=node.downlink())
        frames.add_requests(node.now)
        node.send()
        if frames.due_us() is not None:
            assert frames.send(node.now) and node.exchange()[0].port() == 202
            frames.frame_done(node.now)
            found.append(number)
    return found


def test_a_silent_network_is_asked_by_the_clock_package_with_every_twelfth_request():
    node = Node()
    frames = DeviceFrames(node.mac)
    node.send(rx1=node.downlink())  # heard before the first request
    assert _app_time_requests(node, frames, range(1, 40)) == [12, 24, 36]


def test_a_network_that_was_heard_is_asked_by_the_clock_package_from_the_fourth_request_on():
    node = Node()
    frames = DeviceFrames(node.mac)
    assert _app_time_requests(node, frames, range(1, 7), heard=(2,)) == [4, 5, 6]
    frames.time_received(node.now)
    node.now += 6 * 3600 * SECOND
    assert _app_time_requests(node, frames, range(1, 4), heard=(1, 2, 3)) == []


def test_package_messages_go_one_after_the_other_and_the_oldest_gives_way():
    node = Node()
    frames = DeviceFrames(node.mac)
    frames.time_received(node.now)
    assert frames.due_us() is None and frames.handle(7, b"x", 0) == (False, None)
    assert frames.handle(224, b"\0", 0) == (False, None), "certification is off"
    frames.certify(b"\0\1\0\0", None, None)
    for byte in range(6):
        assert frames.handle(224, b"\x08" + bytes((byte,)), 0) == (True, None)
    assert frames.due_us() == SECOND
    sent = []
    while frames.due_us() is not None:
        node.now = max(node.now, frames.due_us())
        assert frames.send(node.now)
        sent.append(node.exchange()[0])
        frames.frame_done(node.now)
    assert [frame.port() for frame in sent] == [224] * 4
    frames.handle(224, b"\x21", node.now)
    assert frames.send(node.now) and node.exchange()[0].options() == bytes((DEVICE_TIME,))
    frames.handle(224, b"\0", node.now)
    node.mac.certification = False
    assert not frames.send(node.now) and frames.refused() == 0


def test_periodic_messages_of_a_package_are_queued_when_they_are_due():
    node = Node()
    frames = DeviceFrames(node.mac)
    frames.time_received(node.now)
    frames.certify(b"\0\1\0\0", None, None)
    frames.handle(224, b"\6\1", node.now)  # TxPeriodicityChangeReq: 5 s
    frames.handle(224, b"\7\2", node.now)  # TxFramesCtrlReq: confirmed
    assert frames.due_us() == node.now + 5 * SECOND
    frames.poll(node.now + 5 * SECOND - 1)
    assert frames.due_us() == node.now + 5 * SECOND
    node.now += 5 * SECOND
    frames.poll(node.now)
    assert frames.due_us() == node.now + SECOND and frames.send(node.now)
    sent = node.exchange()[0]
    assert sent.port() == 224 and sent.data[0] == 0x80
