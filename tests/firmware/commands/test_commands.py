"""Commands: each is answered with its id. A wrong one is refused and counted."""

import json
import random

from board_parts import FakeClock, FakeLog, FakeNvs
from commands import basic
from commands.registry import handle
from config import schema
from config.schema import accept
from wire.record import Interval


class FakeApp:
    """The application as far as commands need it."""

    node = "n1"
    boot = 7
    tally = None
    clock = None
    used_ids = ()
    config_set_s = -60
    uptime = 1000

    def __init__(self):
        self.refused_commands = 0
        self.config = accept({"site": "bridge", "interval_min": 5})
        self.nvs = FakeNvs()
        self.log = FakeLog()
        self.uplink = self
        self.resets = 0
        self.asked = []
        self.counter = self
        self.rec = Interval()
        self.events = []

    def uptime_s(self):
        return self.uptime

    def event(self, name, **fields):
        self.events.append((name, fields))

    def schema(self):
        return schema

    def hello(self):
        return {"state": "online"}

    def reset_soon(self):
        self.resets += 1

    def resend(self, first, last):
        self.asked.append((first, last))
        if first > last:
            raise ValueError("resend: %r..%r is no range" % (first, last))
        return first, last


def _give(payload, app=None):
    app = app or FakeApp()
    before = app.refused_commands
    reply = handle(app, payload)
    json.dumps(reply)  # it can be sent
    assert reply["v"] == 1
    assert app.refused_commands - before == (0 if reply["ok"] else 1)
    return reply


def _ok(app=None, **body):
    reply = _give(json.dumps(body).encode(), app)
    assert reply["ok"] and reply["id"] == body["id"], reply
    return reply["result"]


def _refused(app=None, **body):
    reply = _give(json.dumps(body).encode(), app)
    assert not reply["ok"] and reply["id"] == body.get("id") and "result" not in reply, reply
    return reply["error"]


def test_ping_is_answered():
    assert _ok(id="a", cmd="ping") == "pong"


def test_an_id_is_text_or_number_and_comes_back():
    for name in ("", "x" * 100, "\u00e9", 0, -1, 1 << 40):
        assert _give(json.dumps({"id": name, "cmd": "ping"}))["id"] == name


def test_an_id_too_long_to_be_sent_back_is_refused():
    for name in (
        b'"%s"' % (b"x" * 101),
        b"1" * 101,
        b'"%s"' % (b"\x01" * 1900),
        b"-" + b"9" * 999,
    ):
        reply = _give(b'{"id":%s,"cmd":"ping"}' % name)
        assert not reply["ok"] and reply["id"] is None and "100" in reply["error"], reply
        assert len(json.dumps(reply)) < 200


def test_status_holds_the_greeting_and_the_health():
    kept, basic.report = basic.report, lambda app: {"queue": 3}
    try:
        assert _ok(id=1, cmd="status") == {"state": "online", "queue": 3}
    finally:
        basic.report = kept


def test_log_gives_the_last_lines():
    app = FakeApp()
    app.log.info("one")
    app.log.warn("two %d", 2)
    assert _ok(app, id=1, cmd="log") == ["one", "two 2"]


def test_config_get_gives_every_value():
    app = FakeApp()
    got = _ok(app, id=1, cmd="config_get")
    assert got == app.config.public() and got["site"] == "bridge"


def test_config_set_changes_the_named_values_and_keeps_the_others():
    app = FakeApp()
    result = _ok(app, id=1, cmd="config_set", config={"interval_min": 60})
    assert result == {"stored": {"interval_min": 60}, "in_force": "after a reboot"}
    stored = json.loads(app.nvs.kept["config"])
    assert stored["interval_min"] == 60 and stored["site"] == "bridge"
    assert app.config["interval_min"] == 5, "in force only after a reboot"


def test_a_second_config_set_is_added_to_the_stored_configuration():
    app = FakeApp()
    assert _ok(app, id=1, cmd="config_stored") is None
    _ok(app, id=1, cmd="config_set", config={"interval_min": 60})
    app.uptime += 60
    _ok(app, id=2, cmd="config_set", config={"site": "gate"})
    _refused(app, id=3, cmd="config_set", config={"mqtt_port": 0})
    stored = _ok(app, id=4, cmd="config_stored")
    assert (stored["interval_min"], stored["site"], stored["mqtt_port"]) == (60, "gate", 1883)
    assert _ok(app, id=5, cmd="config_get")["interval_min"] == 5


def test_a_spoilt_stored_configuration_is_replaced_by_the_one_in_force():
    for spoilt in (b"", b"{", b"\xff", b'{"interval_min":7}', b"[]", b"null"):
        app = FakeApp()
        app.nvs.kept["config"] = spoilt
        assert _ok(app, id=1, cmd="config_stored") is None
        _ok(app, id=2, cmd="config_set", config={"mqtt_port": 1884})
        assert json.loads(app.nvs.kept["config"])["site"] == "bridge"


def test_config_set_names_key_value_and_range_of_a_wrong_value():
    for change, words in (
        ({"interval_min": 7}, ("interval_min", "7", "(1, 5, 15, 60)")),
        ({"mqtt_port": 0}, ("mqtt_port", "0", "1..65535")),
        ({"mqtt_host": ""}, ("mqtt_host", "''", "1..64")),
        ({"radar_line_m": "8"}, ("radar_line_m", "'8'", "int")),
        ({"speed": 1}, ("unknown key", "speed")),
        ({"radar_line_m": 40, "radar_max_m": 40}, ("radar_line_m = 40", "radar_max_m = 40")),
        ({"site": None}, ("site", "None", "str")),
    ):
        app = FakeApp()
        error = _refused(app, id=1, cmd="config_set", config=change)
        for word in words:
            assert word in error, error
        assert app.nvs.kept == {} and app.nvs.commits == 0


def test_config_set_without_an_object_is_refused():
    assert "config" in _refused(id=1, cmd="config_set")
    for change in (None, 1, "x", [], [["site", "x"]], True):
        assert "object" in _refused(id=1, cmd="config_set", config=change)


def test_resend_asks_the_uplink():
    app = FakeApp()
    assert list(_ok(app, id=1, cmd="resend", **{"from": 3, "to": 9})) == [3, 9]
    assert app.asked == [(3, 9)]


def test_resend_of_a_bad_range_is_refused_with_the_reason_of_the_uplink():
    assert "9..3" in _refused(id=1, cmd="resend", **{"from": 9, "to": 3})


def test_resend_without_numbers_is_refused():
    for first, last in ((None, 1), (1, None), ("1", 2), (1, 2.5), ([], 1), (True, 2)):
        assert "numbers" in _refused(id=1, cmd="resend", **{"from": first, "to": last})
    assert "numbers" in _refused(id=1, cmd="resend")


def test_a_reboot_is_answered_before_it_happens():
    app = FakeApp()
    assert _ok(app, id=1, cmd="reboot") == "rebooting" and app.resets == 1


def test_an_unknown_command_is_refused_with_the_known_ones():
    for name in ("format", "", "PING", None, 1, 1.5, [], {}):
        error = _refused(id="z", cmd=name)
        assert "unknown command" in error
        for known in ("config_get", "config_set", "log", "ping", "reboot", "resend", "status"):
            assert known in error
    assert "unknown command" in _refused(id="z")


def test_a_payload_that_is_not_json_is_refused():
    for payload in (
        b"", b"{", b"\xff\xfe\xfd", b"ping", b'{"id":1,"cmd":"ping"', b"[" * 2000, b'{"id":"}"',
        b'{"id":1,"cmd":"ping","x":["\\"]}"]',
    ):  # fmt: skip
        reply = _give(payload)
        assert not reply["ok"] and reply["id"] is None and "not JSON" in reply["error"], payload


def test_a_command_is_nested_at_most_eight_deep():
    """Printing recurses on the C stack of the chip: 180 lists in a value ended the link's task."""
    head, tail = b'{"id":1,"cmd":"config_set","config":{"site":', b"}}"
    reply = _give(head + b"[" * 6 + b"]" * 6 + tail)
    assert reply["id"] == 1 and "site" in reply["error"]
    reply = _give(head + b"[" * 7 + b"]" * 7 + tail)
    assert reply["id"] is None and "nested deeper than 8" in reply["error"]
    assert _give(b'{"id":1,"cmd":"ping","x":"%s"}' % (b"[" * 100))["ok"], "a text nests nothing"


def test_a_command_that_fails_in_any_way_is_answered_with_its_id():
    def failing(error):
        def fail(*_args):
            raise error

        return fail

    for error in (
        RuntimeError("depth"), TypeError("t"), KeyError("k"), MemoryError("m"), OSError(28),
        AttributeError("a"), OverflowError("o"), ValueError("v"), ZeroDivisionError("z"),
    ):  # fmt: skip
        app = FakeApp()
        app.resend = failing(error)
        assert _refused(app, id="x", cmd="resend", **{"from": 1, "to": 2})


def test_a_command_for_another_start_is_refused():
    app = FakeApp()
    assert _ok(app, id=1, cmd="ping", boot=7) == "pong"
    for boot in (6, 8, "7", None, [], 1 << 70):
        assert "this is 7" in _refused(app, id=1, cmd="reboot", boot=boot)
    assert app.resets == 0


def test_a_command_is_not_carried_out_late():
    app = FakeApp()
    app.clock = FakeClock(1_800_000_000)
    assert _ok(app, id=1, cmd="ping", expires=1_800_000_000) == "pong"
    for expires in (1_799_999_999, 0, -1):
        assert "expired" in _refused(app, id=2, cmd="reboot", expires=expires)
    for expires in ("1800000000", 1.8e9, [], True):
        assert "UTC" in _refused(app, id=3, cmd="reboot", expires=expires)
    app.clock = FakeClock()
    assert "expired" in _refused(app, id=4, cmd="reboot", expires=1_900_000_000)
    assert app.resets == 0


def test_a_command_that_changes_the_node_is_carried_out_once_for_an_id():
    app = FakeApp()
    _ok(app, id="a", cmd="reboot")
    assert "not carried out twice" in _refused(app, id="a", cmd="reboot")
    _ok(app, id="b", cmd="reboot")
    assert "not carried out twice" in _refused(app, id="a", cmd="reboot")
    assert app.resets == 2
    for _ in range(2):  # to read twice changes nothing
        _ok(app, id="c", cmd="resend", **{"from": 1, "to": 2})
    _refused(app, id="d", cmd="config_set", config={"site": 1})
    _ok(app, id="d", cmd="config_set", config={"site": "x"})
    for i in range(8):
        _ok(app, id=i, cmd="reboot")
    assert len(app.used_ids) == 8


def test_a_reboot_over_mqtt_waits_for_five_minutes_of_uptime():
    app = FakeApp()
    app.uptime = 299
    assert "again in 1 s" in _refused(app, id=1, cmd="reboot") and app.resets == 0
    reply = handle(app, b'{"id":2,"cmd":"reboot"}', object())
    assert reply["ok"] and app.resets == 1, "a person at the cable may hurry"
    app.uptime = 300
    _ok(app, id=1, cmd="reboot")


def test_config_set_over_mqtt_is_carried_out_once_a_minute():
    app = FakeApp()
    _ok(app, id=1, cmd="config_set", config={"site": "a"})
    app.uptime += 59
    assert "again in 1 s" in _refused(app, id=2, cmd="config_set", config={"site": "b"})
    assert json.loads(app.nvs.kept["config"])["site"] == "a"
    app.uptime += 1
    _ok(app, id=2, cmd="config_set", config={"site": "b"})


def test_a_command_without_a_usable_id_is_refused():
    for payload in (
        b"[]", b"null", b"7", b'"ping"', b"{}", b'{"cmd":"ping"}', b'{"id":null,"cmd":"ping"}',
        b'{"id":[1],"cmd":"ping"}', b'{"id":1.5,"cmd":"ping"}', b'{"id":{},"cmd":"ping"}',
    ):  # fmt: skip
        reply = _give(payload)
        assert not reply["ok"] and reply["id"] is None and "id" in reply["error"], payload


def test_a_command_too_long_is_refused_unread():
    def command(length):
        head = b'{"id":1,"cmd":"ping","x":"'
        return head + b"y" * (length - len(head) - 2) + b'"}'

    assert _give(command(2048))["ok"]
    reply = _give(command(2049))
    assert not reply["ok"] and "2049" in reply["error"] and "2048" in reply["error"]


def test_a_refused_command_does_nothing():
    app = FakeApp()
    for payload in (b'{"cmd":"reboot"}', b'{"id":[],"cmd":"reboot"}', b'{"id":1,"cmd":"Reboot"}'):
        _give(payload, app)
    assert app.resets == 0 and app.refused_commands == 3


def test_spoilt_commands_are_answered():
    random.seed(17)
    for _ in range(600):
        payload = bytearray(b'{"id":7,"cmd":"config_set","config":{"site":"x","speed":[1]}}')
        for _ in range(random.randrange(1, 5)):
            at = random.randrange(len(payload))
            payload[at] = random.getrandbits(8) if at % 2 else b'{}[]",:0-e1'[at % 11]
        _give(bytes(payload))


def _send(app, **body):
    reply = handle(app, json.dumps(body).encode())
    return reply["result"] if reply["ok"] else reply["error"]


def _counting(app, passages):
    for direction, cls, n in passages:
        for _ in range(n):
            app.rec.add(direction, cls, 200)


def test_calibration_compares_a_tally_with_the_count():
    app = FakeApp()
    _counting(app, ((0, 2, 7),))  # before it
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 2, 97), (0, 1, 10), (1, 2, 50)))
    app.rec.reset(0, 0)  # an interval ends meanwhile
    _counting(app, ((1, 2, 2),))
    tally = {"forward": {"car": 100, "bicycle": 8}, "backward": {"car": 50}}
    got = _send(app, id=2, cmd="calibrate", do="stop", tally=tally, limit_pct=1)
    assert got["counted"]["forward"]["car"] == 97 and got["counted"]["backward"]["car"] == 52
    assert got["error_pct"] == {
        "forward.car": -3.0, "forward.bicycle": 25.0, "backward.car": 4.0
    }  # fmt: skip
    assert got["total_error_pct"] == 0.6 and got["pass"] is True
    assert app.events == [("calibration", {"error_pct": 0.6, "limit_pct": 1, "ok": True})]
    assert "start it again" in _send(app, id=3, cmd="calibrate", do="stop", tally=tally)


def test_calibration_fails_beyond_its_limit():
    app = FakeApp()
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 0, 90),))
    tally = {"forward": {"pedestrian": 100}}
    got = _send(app, id=2, cmd="calibrate", do="stop", tally=tally)
    assert got["total_error_pct"] == -10.0 and got["limit_pct"] == 5 and got["pass"] is False


def test_a_bad_calibration_is_refused_and_goes_on():
    app = FakeApp()
    assert "restarted" in _send(app, id=0, cmd="calibrate", do="stop", tally={})
    assert "start or stop" in _send(app, id=0, cmd="calibrate")
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 2, 10),))
    good = {"forward": {"car": 10}}
    for why, body in (
        ("tally = None", {}),
        ("tally = 5", {"tally": 5}),
        ("tally.up", {"tally": {"up": {}}}),
        ("tally.forward", {"tally": {"forward": 3}}),
        ("class 'tank'", {"tally": {"forward": {"tank": 1}}}),
        ("forward.car = -1", {"tally": {"forward": {"car": -1}}}),
        ("forward.car = 1.5", {"tally": {"forward": {"car": 1.5}}}),
        ("empty", {"tally": {}}),
        ("limit_pct = 0", {"tally": good, "limit_pct": 0}),
        ("limit_pct = 51", {"tally": good, "limit_pct": 51}),
        ("limit_pct = True", {"tally": good, "limit_pct": True}),
    ):
        assert why in _send(app, id=2, cmd="calibrate", do="stop", **body), why
    assert _send(app, id=3, cmd="calibrate", do="stop", tally=good)["pass"] is True
