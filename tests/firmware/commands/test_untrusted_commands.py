"""Commands that are wrong, late, repeated or hostile: each is answered and does nothing."""

import json
import random

from board_parts import FakeClock


from console_node import FakeApp, give, ok, refused


def test_an_id_is_text_or_number_and_comes_back():
    for name in ("", "x" * 100, "\u00e9", 0, -1, 1 << 40):
        assert give(json.dumps({"id": name, "cmd": "ping"}))["id"] == name


def test_an_id_too_long_to_be_sent_back_is_refused():
    for name in (
        b'"%s"' % (b"x" * 101),
        b"1" * 101,
        b'"%s"' % (b"\x01" * 1900),
        b"-" + b"9" * 999,
    ):
        reply = give(b'{"id":%s,"cmd":"ping"}' % name)
        assert not reply["ok"] and reply["id"] is None and "100" in reply["error"], reply
        assert len(json.dumps(reply)) < 200


def test_a_payload_that_is_not_json_is_refused():
    for payload in (
        b"", b"{", b"\xff\xfe\xfd", b"ping", b'{"id":1,"cmd":"ping"', b"[" * 2000, b'{"id":"}"',
        b'{"id":1,"cmd":"ping","x":["\\"]}"]',
    ):  # fmt: skip
        reply = give(payload)
        assert not reply["ok"] and reply["id"] is None and "not JSON" in reply["error"], payload


def test_a_command_is_nested_at_most_eight_deep():
    """Printing recurses on the C stack of the chip: 180 lists in a value ended the link's task."""
    head, tail = b'{"id":1,"cmd":"config_set","config":{"site":', b"}}"
    reply = give(head + b"[" * 6 + b"]" * 6 + tail)
    assert reply["id"] == 1 and "site" in reply["error"]
    reply = give(head + b"[" * 7 + b"]" * 7 + tail)
    assert reply["id"] is None and "nested deeper than 8" in reply["error"]
    assert give(b'{"id":1,"cmd":"ping","x":"%s"}' % (b"[" * 100))["ok"], "a text nests nothing"


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
        why = refused(app, id="x", cmd="resend", **{"from": 1, "to": 2})
        assert why and (why == "no memory") == isinstance(error, MemoryError)


def test_a_command_for_another_start_is_refused():
    app = FakeApp()
    assert ok(app, id=1, cmd="ping", boot=7) == "pong"
    for boot in (6, 8, "7", None, [], 1 << 70):
        assert "this is 7" in refused(app, id=1, cmd="reboot", boot=boot)
    assert app.resets == 0


def test_a_command_is_not_carried_out_late():
    app = FakeApp()
    app.clock = FakeClock(1_800_000_000)
    assert ok(app, id=1, cmd="ping", expires=1_800_000_000) == "pong"
    for expires in (1_799_999_999, 0, -1):
        assert "expired" in refused(app, id=2, cmd="reboot", expires=expires)
    for expires in ("1800000000", 1.8e9, [], True):
        assert "UTC" in refused(app, id=3, cmd="reboot", expires=expires)
    app.clock = FakeClock()
    assert "expired" in refused(app, id=4, cmd="reboot", expires=1_900_000_000)
    assert app.resets == 0


def test_a_command_that_changes_the_node_is_carried_out_once_for_an_id():
    app = FakeApp()
    ok(app, id="a", cmd="reboot")
    assert "not carried out twice" in refused(app, id="a", cmd="reboot")
    ok(app, id="b", cmd="reboot")
    assert "not carried out twice" in refused(app, id="a", cmd="reboot")
    assert app.resets == 2
    for _ in range(2):  # to read twice changes nothing
        ok(app, id="c", cmd="resend", **{"from": 1, "to": 2})
    refused(app, id="d", cmd="config_set", config={"site": 1})
    ok(app, id="d", cmd="config_set", config={"site": "x"})
    for i in range(8):
        ok(app, id=i, cmd="reboot")
    assert len(app.used_ids) == 8


def test_a_reboot_over_mqtt_waits_for_five_minutes_of_uptime():
    app = FakeApp()
    app.uptime = 299
    assert "again in 1 s" in refused(app, id=1, cmd="reboot") and app.resets == 0
    reply = app.command(b'{"id":2,"cmd":"reboot"}', object())
    assert reply["ok"] and app.resets == 1, "a person at the cable may hurry"
    app.uptime = 300
    ok(app, id=1, cmd="reboot")


def test_config_set_over_mqtt_is_carried_out_once_a_minute():
    app = FakeApp()
    ok(app, id=1, cmd="config_set", config={"site": "a"})
    app.uptime += 59
    assert "again in 1 s" in refused(app, id=2, cmd="config_set", config={"site": "b"})
    assert json.loads(app.nvs.kept["config"])["site"] == "a"
    app.uptime += 1
    ok(app, id=2, cmd="config_set", config={"site": "b"})


def test_a_command_without_a_usable_id_is_refused():
    for payload in (
        b"[]", b"null", b"7", b'"ping"', b"{}", b'{"cmd":"ping"}', b'{"id":null,"cmd":"ping"}',
        b'{"id":[1],"cmd":"ping"}', b'{"id":1.5,"cmd":"ping"}', b'{"id":{},"cmd":"ping"}',
    ):  # fmt: skip
        reply = give(payload)
        assert not reply["ok"] and reply["id"] is None and "id" in reply["error"], payload


def test_a_command_too_long_is_refused_unread():
    def command(length):
        head = b'{"id":1,"cmd":"ping","x":"'
        return head + b"y" * (length - len(head) - 2) + b'"}'

    assert give(command(2048))["ok"]
    reply = give(command(2049))
    assert not reply["ok"] and "2049" in reply["error"] and "2048" in reply["error"]


def test_a_refused_command_does_nothing():
    app = FakeApp()
    for payload in (b'{"cmd":"reboot"}', b'{"id":[],"cmd":"reboot"}', b'{"id":1,"cmd":"Reboot"}'):
        give(payload, app)
    assert app.resets == 0 and app.refused_commands == 3


def test_spoilt_commands_are_answered():
    random.seed(17)
    for _ in range(600):
        payload = bytearray(b'{"id":7,"cmd":"config_set","config":{"site":"x","speed":[1]}}')
        for _ in range(random.randrange(1, 5)):
            at = random.randrange(len(payload))
            payload[at] = random.getrandbits(8) if at % 2 else b'{}[]",:0-e1'[at % 11]
        give(bytes(payload))
