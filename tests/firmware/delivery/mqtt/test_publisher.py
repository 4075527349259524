# heap: 2m
"""Publishing: oldest first, full messages, again after a lost link, starts by anchors."""

import asyncio
import io

from mqtt import FrameFull
from ring import EVENT
from publisher_node import UTC, Node
from wire.jsonform import write_interval
from wire.record import WHY_CLOCK, Interval


def test_records_leave_oldest_first_each_once():
    node = Node(30)
    link = node.run()
    assert link.numbers() == list(range(1, 31))
    assert node.ring.cursor(0) == (30, 0)


def test_a_batch_fills_the_message_and_never_more():
    for room in (1024, 2048, 4096, 8192):
        node = Node(30, room)
        link = node.run()
        assert link.numbers() == list(range(1, 31))
        assert max(link.sizes) <= room
        one = Interval()  # as long as the next record
        one.reset(UTC, 100)
        out = io.StringIO()
        write_interval(out, one)
        for size in link.sizes[:-1]:
            assert size + 1 + len(out.getvalue()) + 8 > room, (room, size)


def test_a_batch_names_version_node_log_and_bins():
    node = Node(1)
    ((name, body),) = node.run().messages
    assert name == "counts" and body["v"] == 1 and body["node"] == "n1" and body["bin_kmh"] == 4
    assert int(body["log"], 16) == node.ring.log_id


def test_a_new_record_wakes_the_publisher():
    node = Node(1)

    def later():
        node.add()
        node.uplink.wake()

    assert node.run(then=later).numbers() == [1, 2]


def test_events_and_anchors_leave_alone_and_in_order():
    node = Node(2)
    node.uplink.event("start", reset="soft")
    node.anchor(3, 50, UTC)
    node.add(2)
    link = node.run()
    assert [name for name, _body in link.messages] == ["counts", "event", "event", "counts"]
    start, anchor = link.events()
    assert start["event"] == "start" and start["reset"] == "soft" and start["seq"] == 3
    assert start["boot"] == 3 and start["utc"] == UTC and start["uptime"] == 0
    assert anchor == {
        "event": "anchor", "seq": 4, "boot": 3, "uptime": 50, "utc": UTC, "source": 2,
        "v": 1, "node": "n1", "log": "%08x" % node.ring.log_id,
    }  # fmt: skip
    assert link.numbers() == [1, 2, 5, 6]


def test_an_event_that_is_not_json_is_sent_as_unreadable():
    node = Node()
    node.ring.append(EVENT, b"{\xff")
    node.add()
    link = node.run()
    assert link.events()[0]["event"] == "unreadable" and link.events()[0]["seq"] == 1
    assert link.numbers() == [2]


def test_a_link_lost_during_a_message_repeats_it():
    node = Node(20)
    node.uplink.event("start")
    node.link.fails = 3
    link = node.run()
    assert link.numbers() == list(range(1, 21)) and len(link.events()) == 1
    assert link.attempts == len(link.messages) + 3


def test_a_message_that_finds_no_memory_for_its_form_is_sent_later():
    node = Node(20)
    node.link.fails, node.link.failure = 3, MemoryError()
    assert node.run().numbers() == list(range(1, 21))


def test_sent_records_are_remembered_across_a_restart():
    node = Node(5)
    node.run()
    node.restart()
    node.add(2)
    assert node.run().numbers() == [1, 2, 3, 4, 5, 6, 7]


def test_a_record_that_no_message_holds_ends_the_task():
    node = Node(1, room=200)
    try:
        asyncio.run(asyncio.wait_for_ms(node.uplink.run(node.progress), 1000))
        raise AssertionError("sent")
    except FrameFull:
        assert node.link.messages == []


def _starts(node):
    return [rec["start"] for _name, body in node.run().messages if "recs" in body
            for rec in body["recs"]]  # fmt: skip


def test_a_record_of_this_boot_gets_its_start_from_the_anchor():
    node = Node()
    node.uplink.anchor = 1000, UTC
    node.clock.uptime = 2000
    node.clock.set(UTC + 999, 0)  # read at another moment of the second
    node.add(1, 0, boot=3, uptime=100)
    assert _starts(node) == ["2027-01-15T07:45:00Z"]
    assert node.link.messages[0][1]["recs"][0]["time"]["src"] == "anchor"


def test_a_record_of_an_earlier_boot_gets_its_start_from_the_anchor_of_its_boot():
    node = Node()
    node.anchor(1, 50, UTC + 5000)  # of another boot
    node.add(1, 0, boot=2, uptime=100)
    node.add(1)
    node.anchor(2, 1000, UTC)
    assert _starts(node) == ["2027-01-15T07:45:00Z", "2027-01-15T08:00:00Z"]
    assert node.link.messages[1][1]["recs"][0]["time"]["src"] == "anchor"


def test_a_record_without_an_anchor_is_sent_without_a_start():
    node = Node()
    node.add(1, 0, boot=2, uptime=100)
    node.anchor(3, 50, UTC)
    assert _starts(node) == [None]
    assert node.link.messages[0][1]["recs"][0]["time"]["src"] == "none"


def test_without_an_anchor_a_record_of_this_boot_is_sent_without_a_start():
    node = Node()
    node.anchor(2, 50, UTC)
    node.add(1, 0, boot=3, uptime=100)
    assert _starts(node) == [None]


def test_a_record_whose_clock_was_set_back_gets_no_start():
    node = Node()
    node.add(1, 0, boot=3, uptime=100, why=WHY_CLOCK)
    node.add(1, 0, boot=2, uptime=100, why=WHY_CLOCK)
    node.anchor(2, 1000, UTC)
    assert _starts(node) == [None, None]


# --- progress


def test_a_message_that_gets_through_is_progress_and_rest_is_idle():
    node = Node(1)
    node.run()
    assert node.progress.reports == ["made", "idle"]


def test_without_a_link_the_publisher_is_idle():
    node = Node(1)
    node.link.up = False

    async def main():
        task = asyncio.create_task(node.uplink.run(node.progress))
        await asyncio.sleep_ms(20)
        assert node.progress.reports == ["idle"] and not node.link.attempts
        node.link.up = True
        await asyncio.sleep_ms(20)
        task.cancel()

    asyncio.run(main())
    assert node.progress.reports[:3] == ["idle", "made", "made"]
    assert node.link.numbers() == [1]


def test_messages_that_fail_on_a_link_that_stays_up_are_no_progress():
    node = Node(1)
    node.link.fails = 50

    async def main():
        task = asyncio.create_task(node.uplink.run(node.progress))
        while node.link.fails:
            assert node.progress.reports == []
            await asyncio.sleep_ms(0)
        await asyncio.sleep_ms(20)
        task.cancel()

    asyncio.run(main())
    assert node.progress.reports[0] == "made" and node.link.numbers() == [1]
