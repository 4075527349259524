"""Commands: each is answered with its id, and does what it says."""

import json

from commands import basic


from console_node import FakeApp, ok, refused


def test_ping_is_answered():
    assert ok(id="a", cmd="ping") == "pong"


def test_status_holds_the_greeting_and_the_health():
    kept, basic.report = basic.report, lambda app: {"queue": 3}
    try:
        assert ok(id=1, cmd="status") == {"state": "online", "queue": 3}
    finally:
        basic.report = kept


def test_log_gives_the_last_lines():
    app = FakeApp()
    app.log.info("one")
    app.log.warn("two %d", 2)
    assert ok(app, id=1, cmd="log") == ["one", "two 2"]


def test_config_get_gives_every_value():
    app = FakeApp()
    got = ok(app, id=1, cmd="config_get")
    assert got == app.config.public() and got["site"] == "bridge"


def test_config_set_changes_the_named_values_and_keeps_the_others():
    app = FakeApp()
    result = ok(app, id=1, cmd="config_set", config={"interval_min": 60})
    assert result == {"stored": {"interval_min": 60}, "in_force": "after a reboot"}
    stored = json.loads(app.nvs.kept["config"])
    assert stored["interval_min"] == 60 and stored["site"] == "bridge"
    assert app.config["interval_min"] == 5, "in force only after a reboot"


def test_a_second_config_set_is_added_to_the_stored_configuration():
    app = FakeApp()
    assert ok(app, id=1, cmd="config_stored") is None
    ok(app, id=1, cmd="config_set", config={"interval_min": 60})
    app.uptime += 60
    ok(app, id=2, cmd="config_set", config={"site": "gate"})
    refused(app, id=3, cmd="config_set", config={"log_level": 4})
    stored = ok(app, id=4, cmd="config_stored")
    assert (stored["interval_min"], stored["site"], stored["mqtt_port"]) == (60, "gate", 1883)
    assert ok(app, id=5, cmd="config_get")["interval_min"] == 5


def test_a_spoilt_stored_configuration_is_replaced_by_the_one_in_force():
    for spoilt in (b"", b"{", b"\xff", b'{"interval_min":7}', b"[]", b"null"):
        app = FakeApp()
        app.nvs.kept["config"] = spoilt
        assert ok(app, id=1, cmd="config_stored") is None
        ok(app, id=2, cmd="config_set", config={"radar_line_m": 15})
        assert json.loads(app.nvs.kept["config"])["site"] == "bridge"


def test_config_set_names_key_value_and_range_of_a_wrong_value():
    for change, words in (
        ({"interval_min": 7}, ("interval_min", "7", "(1, 5, 15, 60)")),
        ({"log_level": 4}, ("log_level", "4", "0..3")),
        ({"site": "x" * 41}, ("site", "'xxx", "0..40")),
        ({"radar_line_m": "8"}, ("radar_line_m", "'8'", "int")),
        ({"speed": 1}, ("unknown key", "speed")),
        ({"radar_line_m": 40, "radar_max_m": 40}, ("radar_line_m = 40", "radar_max_m = 40")),
        ({"site": None}, ("site", "None", "str")),
    ):
        app = FakeApp()
        error = refused(app, id=1, cmd="config_set", config=change)
        for word in words:
            assert word in error, error
        assert app.nvs.kept == {} and app.nvs.commits == 0


def test_config_set_without_an_object_is_refused():
    assert "config" in refused(id=1, cmd="config_set")
    for change in (None, 1, "x", [], [["site", "x"]], True):
        assert "object" in refused(id=1, cmd="config_set", config=change)


def test_resend_asks_the_uplink():
    app = FakeApp()
    assert list(ok(app, id=1, cmd="resend", **{"from": 3, "to": 9})) == [3, 9]
    assert app.asked == [(3, 9)]


def test_resend_of_a_bad_range_is_refused_with_the_reason_of_the_uplink():
    assert "9..3" in refused(id=1, cmd="resend", **{"from": 9, "to": 3})


def test_resend_without_numbers_is_refused():
    for first, last in ((None, 1), (1, None), ("1", 2), (1, 2.5), ([], 1), (True, 2)):
        assert "numbers" in refused(id=1, cmd="resend", **{"from": first, "to": last})
    assert "numbers" in refused(id=1, cmd="resend")


def test_a_reboot_is_answered_before_it_happens():
    app = FakeApp()
    assert ok(app, id=1, cmd="reboot") == "rebooting" and app.resets == 1


def test_an_unknown_command_is_refused_with_the_known_ones():
    for name in ("format", "", "PING", None, 1, 1.5, [], {}):
        error = refused(id="z", cmd=name)
        assert "unknown command" in error
        for known in ("config_get", "config_set", "log", "ping", "reboot", "resend", "status"):
            assert known in error
    assert "unknown command" in refused(id="z")
