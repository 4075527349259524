"""The configuration: the ends of every range, contradictions, and storage in NVS."""

import json

from board_parts import FakeLog, FakeNvs
from config.schema import accept, check, load, rows, store
from config.settings import read_blob
from core.faults import ConfigError

DEFAULTS = accept({}).public()
# Other values that a value at the end of its range needs.
COMPANIONS = {
    "radar_line_m": {"radar_max_m": 100},
    "radar_offset_m": {"radar_line_m": 40},
    "radar_max_m": {"radar_line_m": 3},
    "class_ped_max_kmh": {"class_bike_max_kmh": 60},
    "class_bike_max_kmh": {"class_ped_max_kmh": 3},
    "class_bike_min_mm": {"class_car_min_mm": 6000},
    "class_car_min_mm": {"class_bike_min_mm": 300, "class_heavy_min_mm": 20000},
    "class_heavy_min_mm": {"class_bike_min_mm": 300, "class_car_min_mm": 1000},
    "radar_mount_deg": {"detector": "ops243"},
    "beam_debounce_ms": {"beam_merge_ms": 1000},
    "beam_merge_ms": {"beam_debounce_ms": 1},
}


def _refused(values):
    try:
        check(values)
    except ConfigError as error:
        return str(error)
    raise AssertionError("accepted: %r" % values)


def _accepted(key, value):
    values = dict(COMPANIONS.get(key, {}))
    values[key] = value
    assert accept(values)[key] == value


def _rows(kind, ranged):
    return [row for row in rows() if row[1] is kind and (row[3] is not None) == ranged]


def test_the_defaults_are_accepted_and_complete():
    assert set(DEFAULTS) == {row[0] for row in rows()}
    assert check(DEFAULTS) == DEFAULTS == check({})


def test_both_ends_of_every_number_are_accepted_and_a_value_beyond_is_named():
    for key, _kind, lower, upper, _default, unit in _rows(int, True):
        _accepted(key, lower)
        _accepted(key, upper)
        for value in (lower - 1, upper + 1, -(1 << 70), 1 << 70):
            text = _refused({key: value})
            assert "%s = %d" % (key, value) in text, text
            assert "%d..%d %s" % (lower, upper, unit) in text, text


def test_both_ends_of_every_text_are_accepted_and_a_value_beyond_is_named():
    for key, _kind, lower, upper, _default, _unit in _rows(str, True):
        _accepted(key, "x" * lower)
        _accepted(key, "x" * upper)
        for value in ("x" * (upper + 1), "x" * (lower - 1)) if lower else ("x" * (upper + 1),):
            text = _refused({key: value})
            assert "%s = %r" % (key, value) in text and "%d..%d" % (lower, upper) in text, text


def test_every_choice_is_accepted_and_others_are_named_with_the_choices():
    rows = _rows(str, False) + _rows(int, False)
    assert rows
    for key, kind, choices, _upper, _default, _unit in rows:
        for value in choices:
            _accepted(key, value)
        value = 7 if kind is int else "none of them"
        text = _refused({key: value})
        assert key in text and repr(value) in text and repr(choices) in text, text


def test_a_value_of_another_type_is_refused_with_the_wanted_type():
    for row in rows():
        key, kind = row[0], row[1]
        for value in (None, True, False, 1.5, [], {}, "1" if kind is int else 1):
            text = _refused({key: value})
            assert key in text and repr(value) in text and kind.__name__ in text, text


def test_an_unknown_key_is_named_in_a_text_that_fits_into_a_heap_in_use():
    text = _refused({"interval": 5, "site": "a"})
    assert "'interval'" in text and "config_get" in text and len(text) < 100


def test_a_configuration_that_is_no_object_is_refused():
    for values in ([], [1], None, 1, "text", True):
        assert "object" in _refused(values)


def test_classes_must_not_overlap():
    for lower, upper, at, limit in (
        ("class_ped_max_kmh", "class_bike_max_kmh", 15, "60 km/h"),
        ("class_bike_min_mm", "class_car_min_mm", 2000, "8000 mm"),
        ("class_car_min_mm", "class_heavy_min_mm", 5000, "20000 mm"),
    ):
        for value in (at, at - 1):
            text = _refused({lower: at, upper: value})
            assert "%s = %d" % (upper, value) in text and "%s = %d" % (lower, at) in text, text
            assert "wanted %d..%s" % (at + 1, limit) in text, text
        check({lower: at, upper: at + 1})


def test_the_counting_line_must_be_within_reach_of_the_radar():
    text = _refused({"radar_line_m": 30, "radar_max_m": 30})
    assert "radar_max_m = 30" in text and "wanted 31..100 m with radar_line_m = 30" in text
    check({"radar_line_m": 30, "radar_max_m": 31})


def test_a_lane_must_be_within_the_lobe_at_the_line():
    text = _refused({"radar_line_m": 8, "radar_offset_m": 7})
    assert "radar_line_m = 8, wanted 19..40 m with radar_offset_m = 7" in text, text
    check({"radar_line_m": 19, "radar_offset_m": 7})
    check({"radar_line_m": 8, "radar_offset_m": 7, "detector": "doppler"})


def test_the_road_must_be_within_the_radars_lobe():
    for degrees in (-21, 21, 45):
        text = _refused({"radar_mount_deg": degrees})
        assert "radar_mount_deg = %d, wanted -20..20 degrees" % degrees in text, text
        check({"radar_mount_deg": degrees, "detector": "doppler"})
    check({"radar_mount_deg": -20})


def test_an_occlusion_must_last_less_than_the_gap_that_is_bridged():
    text = _refused({"beam_debounce_ms": 30, "beam_merge_ms": 30})
    assert "beam_merge_ms = 30, wanted 31..1000 ms with beam_debounce_ms = 30" in text, text


def test_the_topic_root_holds_no_wildcard():
    for root in ("a/+/b", "#", "a\0b"):
        assert "mqtt_root" in _refused({"mqtt_root": root})


def test_the_hash_depends_on_the_values_and_not_on_their_notation():
    assert accept({}).hash == accept(DEFAULTS).hash
    assert accept({"interval_min": 5}).hash != accept({}).hash
    assert 0 <= accept({}).hash <= 0xFFFFFFFF


def test_public_is_a_copy():
    config = accept({"site": "bridge"})
    config.public()["site"] = "elsewhere"
    assert config["site"] == "bridge"


def test_the_stored_configuration_is_loaded_and_nothing_is_written():
    """It is not good before a record was acknowledged under it."""
    nvs, log = FakeNvs(config=b'{"interval_min": 5}', config_ok=b"{}"), FakeLog()
    config, key = load(nvs, log)
    assert config["interval_min"] == 5 and key == "config"
    assert nvs.commits == 0 and log.lines == []
    config, key = load(nvs, log, ("config_ok", "config"))
    assert config["interval_min"] == 15 and key == "config_ok"


def test_an_unusable_configuration_gives_way_to_the_last_good_one():
    good = b'{"interval_min": 60}'
    for bad in (b"{", b"", b"\xff" * 30, b"[]", b"7", b'{"interval_min": 7}', b'{"nonsense": 1}'):
        nvs, log = FakeNvs(config=bad, config_ok=good), FakeLog()
        config, key = load(nvs, log)
        assert config["interval_min"] == 60 and key == "config_ok"
        assert nvs.kept["config"] == bad and nvs.kept["config_ok"] == good
        assert [level for level, _text in log.lines] == ["error"]
        assert "config is not usable" in log.lines[0][1]


def test_without_a_usable_configuration_the_defaults_hold():
    for blobs in (
        {}, {"config": b"{"}, {"config": b"{", "config_ok": b"[1]"}, {"config": b"x" * 1501},
    ):  # fmt: skip
        log = FakeLog()
        config, key = load(FakeNvs(**blobs), log)
        assert config.public() == DEFAULTS and key == ""
        assert log.lines[-1][0] == "warn"


def test_a_stored_configuration_comes_back_at_the_next_start():
    nvs = FakeNvs()
    store(nvs, {"site": "Br\u00fccke", "interval_min": 1})
    assert nvs.commits == 1
    config, _key = load(nvs, FakeLog())
    assert config["site"] == "Br\u00fccke" and config["interval_min"] == 1


def test_a_refused_configuration_is_not_stored():
    nvs = FakeNvs(config=b"{}")
    for values in ({"interval_min": 7}, {"x": 1}, [], {"radar_line_m": 40, "radar_max_m": 30}):
        try:
            store(nvs, values)
            raise AssertionError(values)
        except ConfigError:
            assert nvs.kept == {"config": b"{}"} and not nvs.commits


def test_the_largest_configuration_can_be_stored_and_loaded():
    values = {}
    for key, _kind, _lower, upper, _default, _unit in _rows(str, True):
        values[key] = "x" * upper
    full = check(values)
    nvs = FakeNvs()
    store(nvs, full)
    assert load(nvs, FakeLog())[0].public() == full


def test_a_configuration_too_long_for_its_place_is_refused_with_its_length():
    values = {}
    for key, _kind, _lower, upper, _default, _unit in _rows(str, True):
        values[key] = "\x01" * upper  # six bytes each in JSON
    full = check(values)
    nvs = FakeNvs()
    try:
        store(nvs, full)
        raise AssertionError("stored")
    except ConfigError as error:
        assert "%d bytes, at most 1500" % len(json.dumps(full)) in str(error), error
        assert nvs.kept == {} and not nvs.commits


def test_a_missing_blob_is_none():
    assert read_blob(FakeNvs(), "id") is None
    assert read_blob(FakeNvs(id=b"n1"), "id") == b"n1"
    assert read_blob(FakeNvs(id=b""), "id") == b""
