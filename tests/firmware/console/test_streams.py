# heap: 1m
"""Commands of the console alone: live view, log export, a confirmation carried by hand."""

import asyncio
from binascii import crc32, unhexlify

from board_parts import FakePin, beam_settings
from console_node import CAR, SerialNode

_UNKNOWN = (1, 4, -1, 0, -1, -1)
_LD2451 = "F4F3F2F10C00020178170122128819000A63F8F7F6F5"


def _end(line):
    return bool(line.get("end"))


# --- aim


def test_aim_streams_and_ends_by_itself():
    node = SerialNode()
    found = node.stream(_end, id=9, cmd="aim", seconds=2)
    assert found[0]["ok"] and found[0]["result"] == {"seconds": 2, "detector": "ld2451"}
    assert all(line["id"] == 9 for line in found)
    assert [line["aim"] for line in found[1:-1]] == ["targets"] * len(found[1:-1])
    assert 2 <= len(found[1:-1]) <= 3, "once a second when there is nothing to see"
    assert found[-1]["passages"] == 0 and node.counter.on_passage is None
    assert node.log.lines == [], "nothing of it is logged"


def test_aim_shows_targets_at_most_five_times_a_second():
    from radar.ld2451 import Reports

    node, frames = SerialNode(), Reports()
    node.detector.watch = None
    data = unhexlify(_LD2451)

    def report(_step):
        frames.space()[: len(data)] = data
        frames.added(len(data))
        assert frames.next() == 1
        if node.detector.watch:
            node.detector.watch(frames)

    found = node.stream(_end, report, id=1, cmd="aim", seconds=1)
    shown = [line for line in found if line.get("targets")]
    assert 3 <= len(shown) <= 5 and node.detector.watch is None
    assert shown[0]["targets"] == [
        {"deg": -8, "m": 23, "near": True, "kmh": 34, "snr": 18},
        {"deg": 8, "m": 25, "near": False, "kmh": 10, "snr": 99},
    ]


def test_aim_shows_passages_and_lights_the_led():
    node = SerialNode()

    def pass_by(step):
        if step == 60:
            node.counter.add(CAR)
            node.counter.add(_UNKNOWN)

    found = node.stream(_end, pass_by, id=1, cmd="aim", seconds=1)
    shown = [line for line in found if line.get("aim") == "passage"]
    assert [(p["direction"], p["class"], p["kmh"]) for p in shown] == [
        ("forward", "car", 40.2), ("backward", "unknown", None)
    ]  # fmt: skip
    assert node.board.lit[0] is True and node.board.lit[-1] is False
    assert found[-1]["passages"] == 2 and node.counter.passages == 2


def test_of_a_flood_of_passages_all_are_counted_and_eight_are_shown():
    node = SerialNode()

    def crowd(step):
        if step == 60:
            for _ in range(30):
                node.counter.add(CAR)

    found = node.stream(_end, crowd, id=1, cmd="aim", seconds=1)
    assert len([line for line in found if line.get("aim") == "passage"]) == 8
    assert found[-1]["passages"] == 30 and node.counter.passages == 30


def test_aim_shows_beams_when_they_change():
    from beam.dual import DualBeam

    node = SerialNode(detector="beam")
    pins = FakePin(), FakePin()
    node.detector = DualBeam(*pins, beam_settings())
    asyncio.run(node.detector.start())

    def break_a(step):
        if step == 60:
            pins[0].set(0)
            node.detector.tick(0)

    found = node.stream(_end, break_a, id=1, cmd="aim", seconds=1)
    beams = [line["beams"] for line in found if line.get("aim") == "beams"]
    assert beams[0] == [[False, 0], [False, 0]] and beams[1] == [[True, 1], [False, 0]]
    assert len(beams) == 2, "a line when they change, and one a second"


def test_each_radar_is_shown_by_the_view_of_its_reports():
    from radar.ld2450 import Reports
    from radar.lines import Lines

    frames, lines = Reports(), Lines()
    for parser, data in (
        (frames, unhexlify("AAFF03000E03B18610004001" + "00" * 16 + "55CC")),
        (lines, b"31.5,-12.50\r\n"),
    ):
        parser.space()[: len(data)] = data
        parser.added(len(data))
        assert parser.next() == 1
    for kind, report, target in (
        ("ld2450", frames, {"m": 1.9, "deg": -25, "kmh": 0.6}),
        ("ops243", lines, {"kmh": 12.5, "mag": 31, "near": False}),
        ("doppler", 345, {"kmh": 34.5}),
    ):
        node = SerialNode(detector=kind)

        def note(_step, node=node, report=report):
            if getattr(node.detector, "watch", None):
                node.detector.watch(report)

        found = node.stream(lambda line: line.get("targets"), note, id=1, cmd="aim", seconds=2)
        assert found[-1]["targets"] == [target], kind


def test_aim_ends_with_another_command_and_its_seconds_are_limited():
    node = SerialNode()
    for bad in (-1, 601, 1.5, "x", True, None):
        assert "0..600" in node.ask(id=1, cmd="aim", seconds=bad)["error"]

    def stop(step):
        if step == 60:
            node.port.inject(b'{"id":2,"cmd":"aim","seconds":0}\n')

    found = node.stream(lambda line: line["id"] == 2, stop, id=1, cmd="aim", seconds=60)
    assert found[-1]["result"]["seconds"] == 0 and not any(_end(line) for line in found)


def test_the_other_radars_have_views_of_their_own():
    from radar.ld2450 import Reports
    from radar.lines import Lines
    from radar.view import DopplerView, LD2450View, OPS243View

    frames, view = Reports(), LD2450View()
    data = unhexlify("AAFF03000E03B18610004001" + "00" * 16 + "55CC")
    frames.space()[: len(data)] = data
    frames.added(len(data))
    assert frames.next() == 1 and view.pop_targets() == []
    view.note(frames)
    assert view.pop_targets() == [{"m": 1.9, "deg": -25, "kmh": 0.6}]
    assert view.pop_targets() == []
    data = unhexlify("AAFF0300" + "0E03B18610004001" + "00" * 8 + "E883D0870A804001" + "55CC")
    frames.space()[: len(data)] = data
    frames.added(len(data))
    assert frames.next() == 1
    view.note(frames)
    assert view.pop_targets() == [
        {"m": 1.9, "deg": -25, "kmh": 0.6}, {"m": 2.2, "deg": 27, "kmh": 0.4}
    ]  # fmt: skip
    lines, speeds, bare = Lines(), OPS243View(), DopplerView()
    data = b"\r\n31.5,-12.50\r\n"
    lines.space()[: len(data)] = data
    lines.added(len(data))
    while lines.next() != 1:
        pass
    speeds.note(lines)
    assert speeds.pop_targets() == [{"kmh": 12.5, "mag": 31, "near": False}]
    assert speeds.pop_targets() == []
    bare.note(345)
    assert bare.pop_targets() == [{"kmh": 34.5}] and bare.pop_targets() == []


# --- records


def _bodies(found):
    """(topic, body) of every record line, its CRC checked against the bytes of the line."""
    return [(line["topic"], line["body"]) for line in found if "topic" in line]


def test_records_come_as_over_mqtt():
    node = SerialNode(count=3)
    node.uplink.event("start", reset="power_on")
    over_mqtt = node.publisher.run().messages
    found = node.stream(_end, id=7, cmd="records", **{"from": 1, "to": 100})
    assert found[0]["result"] == {
        "log": "%08x" % node.ring.log_id, "from": 1, "to": 4, "oldest": 1, "newest": 4
    }  # fmt: skip
    assert found[-1] == {"id": 7, "end": True, "next": 5}
    bodies = _bodies(found)
    assert [body["recs"][0] for topic, body in bodies if topic == "counts"] == (
        over_mqtt[0][1]["recs"]
    )
    assert [body for topic, body in bodies if topic == "event"] == [over_mqtt[1][1]]
    whole = dict(over_mqtt[0][1])
    whole["recs"] = whole["recs"][:1]
    assert bodies[0] == ("counts", whole)


def test_a_line_has_the_crc_of_its_body():
    node = SerialNode(count=1)
    node.stream(_end, id=7, cmd="records", **{"from": 1, "to": 1})
    line = node.lines()[1]
    begin, end = line.index('"body":') + 7, line.rindex(',"crc":"')
    assert line[end + 8 :] == '%08x"}' % crc32(line[begin:end].encode())


def test_records_come_32_for_a_command():
    node = SerialNode(count=40)
    found = node.stream(_end, id=7, cmd="records", **{"from": 5, "to": 40})
    assert found[0]["result"]["to"] == 36 and found[-1]["next"] == 37
    assert [body["recs"][0]["seq"] for _topic, body in _bodies(found)] == list(range(5, 37))
    assert node.ring.cursor(0) == (0, 0), "nothing is confirmed by it"


def test_the_node_counts_between_the_lines_of_an_export():
    node, written = SerialNode(count=12), []

    def watch(_step):
        written.append(node.port.text.count(b'"topic"'))

    node.stream(_end, watch, id=7, cmd="records", **{"from": 1, "to": 12})
    assert set(range(1, 12)) <= set(written), written


def test_lost_records_are_reported():
    node = SerialNode(count=2)
    node.ring.first_seq = 2
    found = node.stream(_end, id=7, cmd="records", **{"from": 1, "to": 2})
    topic, body = _bodies(found)[0]
    assert topic == "event" and (body["event"], body["from"], body["to"]) == ("gone", 1, 1)
    assert _bodies(found)[1][1]["recs"][0]["seq"] == 2


def test_there_are_no_records_after_the_newest():
    node = SerialNode(count=2)
    found = node.stream(_end, id=7, cmd="records", **{"from": 3, "to": 9})
    assert found[0]["result"]["newest"] == 2 and found[-1]["next"] == 3 and _bodies(found) == []


def test_a_bad_range_is_refused():
    node = SerialNode(count=2)
    for first, last in ((0, 1), (2, 1), (None, 1), ("1", 2), (1, 1.5), (True, 2)):
        error = node.ask(id=1, cmd="records", **{"from": first, "to": last})["error"]
        assert "no range" in error, error


def test_records_carried_to_the_backend_by_hand_are_confirmed():
    node = SerialNode(count=3)
    log = "%08x" % node.ring.log_id
    assert node.ask(id=1, cmd="confirm", log=log, seq=2)["result"] == {"confirmed": 2}
    assert node.ring.cursor(0) == (2, 2) and node.uplink.queue_depth() == 1
    for wrong, seq, why in (
        ("00000000", 2, log),
        (log, "2", log),
        (None, 2, log),
        (log, 4, "seq 4"),
    ):
        assert why in node.ask(id=1, cmd="confirm", log=wrong, seq=seq)["error"]
    assert node.ring.cursor(0) == (2, 2)


def test_a_stream_that_finds_no_memory_ends_alone():
    from console import live_view

    def full(*_args):
        raise MemoryError

    node = SerialNode()
    live_view.Live = full
    found = node.stream(lambda line: not line["ok"], id=1, cmd="aim", seconds=5)
    assert found[0]["ok"] and found[-1]["error"] == "no memory" and node.supervisor.died == []
    assert node.streaming is None and node.ask(id=2, cmd="ping")["ok"]


def test_a_heap_that_is_nearly_full_refuses_to_stream():
    node = SerialNode()
    node.memory.need = lambda _size: None
    node.memory.room = lambda: 2_999
    assert "no memory to spare" in node.ask(id=1, cmd="aim", seconds=5)["error"]
    assert node.streaming is None
