"""The identity in NVS: only a whole one counts. The vectors are those of the host tool."""

import struct
from binascii import crc32

from board_parts import FakeNvs
from config.identity import read

WHOLE = {
    "id": b"n1", "wifi_ssid": b"street", "wifi_pass": b"between-you-and-me", "mqtt_user": b"u",
    "mqtt_pass": b"0f1e2d3c", "lora_dev_eui": b"\x01" * 8, "lora_join_eui": b"\x02" * 8,
    "lora_app_key": bytes(range(16)), "seal": b"\xa1}?W",
}  # fmt: skip


def _with(**changes):
    values = dict(WHOLE)
    values.update(changes)
    return FakeNvs(**{key: value for key, value in values.items() if value is not None})


def test_a_whole_identity_is_taken():
    assert read(_with()) == ("n1", "")


def test_without_an_id_the_board_is_not_provisioned():
    for nvs in (FakeNvs(), _with(id=None), _with(id=b"")):
        node, reason = read(nvs)
        assert node == "" and reason == "not provisioned: no node id in NVS", reason


def test_a_key_that_is_missing_changed_or_of_another_identity_breaks_the_seal():
    for key, value in WHOLE.items():
        if key == "id":
            continue
        for other in (None, value[:-1], value + b"x", b"x" * len(value)):
            node, reason = read(_with(**{key: other}))
            assert node == "" and reason.startswith("identity incomplete"), (key, other)
    assert read(_with(id=b"n2"))[0] == ""
    assert read(_with(mqtt_ca=b"certificate"))[0] == ""


def test_the_seal_knows_keys_apart():
    swapped = _with(mqtt_user=WHOLE["mqtt_pass"], mqtt_pass=WHOLE["mqtt_user"])
    assert read(swapped)[0] == ""


def test_configuration_and_counters_are_not_sealed():
    assert read(_with(config=b"{}", config_ok=b"{}", boot=7)) == ("n1", "")


def test_authorities_and_keys_are_sealed():
    """The seal is that of the host tool for the identity with these four keys."""
    more = {
        "mqtt_ca2": b"other", "fleet_key": b"\x81" * 384, "fleet_key2": b"\x83" * 384,
        "mac_key": bytes(range(32)),
    }  # fmt: skip
    more["seal"] = b"\x83H\xd1."
    assert read(_with(**more)) == ("n1", "")
    for key in ("mqtt_ca2", "fleet_key", "fleet_key2", "mac_key"):
        for value in (None, b"x"):
            changed = dict(more)
            changed[key] = value
            assert read(_with(**changed))[1].startswith("identity incomplete"), key


def test_a_sealed_identity_that_is_no_text_is_refused():
    """It would end every start. Certificates and keys are bytes."""
    for key in ("id", "wifi_ssid", "wifi_pass", "mqtt_user", "mqtt_pass"):
        blobs = {"id": b"n1", key: b"\xc3\xff"}
        crc = 0
        for name in ("id", key) if key != "id" else ("id",):
            value = blobs[name]
            crc = crc32(name.encode() + struct.pack("<BH", 0, len(value)) + value, crc)
        nvs = FakeNvs(seal=struct.pack("<I", crc), **blobs)
        assert read(nvs)[0] == "", key
        assert read(nvs)[1].startswith("identity incomplete"), key
