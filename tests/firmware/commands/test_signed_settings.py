"""Settings that can lose or hand over a node: they need a signature of the fleet's key."""

import json
import sys
from binascii import b2a_base64
from hashlib import sha256

from board_parts import FakeClock, FakeNvs
from signature import canonical

from console_node import FakeApp, ok, refused

_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
# Two keys of a fleet, for tests alone: modulus and private exponent, 3072 bits each.
_KEYS = (
    (
        "ce836a38c56cb8894185751b36fbf5e7ae550b70f2e7c03f81317c0727b7e0b584fd1b2faf3ef3615af708"
        "f18c0cc3c1c72d8fe0b9d8971a66cde6949c0331a0e0becfd5f0500e7b9d3ad721fc867b4fbf7f9e5a1af2"
        "230fb1b680cd90138d819041746e8b27cd1dbd55b01dd527a51a06cf61e0e4823ddf80e848ff5983fb9814"
        "a1656d7ee2594c0e074f81a37dd3221b480b74262e22b44f774c121da0fba207d7812caa91da9fbcb6cde5"
        "23d1a6fe2a4bbd681d1d04a1dca2834b28eadc896048ee871de2c9c3fe943b0ea2de3a493208709324508e"
        "2cc280d6a4c75d44b709037ff4adbdf7ed86b57c2335363381c4c0598e5ce148b725e181d725b033d4cbc5"
        "e2ab71841d767c4318f2978e6d069eae447addeb426a9665a63f9decf4a47f07306d9e06efba3d84afb352"
        "c5b7ad4f850a708d1d7f8561abf90c094b1e179d709502b0393ea5282b3ab767e20e34a0fae65882dafd6e"
        "37133fe69a0dbc1174a2f4461056e429bcaa71a80cc60f61c35434a19959f66dc708716c9fac0bc1",
        "1aa00bd664f1c6faff45171b9aa3b2891bcb602dc04b8bd8442e5e98c790a7fa8f3a58c2759c2ea1cb2a15"
        "6f9b085c46c408c647897e78c0d12753c6ae34a535e23407b4c406764f8eae72e5315b1f53e1533155d9aa"
        "8545b53a5bf1e4d4f8860f54b90fb5863ca64c6e5b460560d6a2fbe4c9f04655da675205e0bf7749926b01"
        "a1eb634a1c21ba3206d443d911d4624dd52490e58946352c17abe99c0350de0b97c7d23bed911bce275d75"
        "61005b40e2b0202be7b1019362d05b101a26e9a6db44f3f2b63d6b21dc879942c555f480342b1313c490f7"
        "fa9488254371fd0066712da0097b2c5f6ed6f024709934681c82064e80a076c3c7dbc46fc1f1ad76ef2c96"
        "542e525e74b2cc51c2033090a3278b28108740e1315d3afdbc6a34328f158ca022c0925b1c05c32f954473"
        "9b22c3ecd3038a972ea04e3a6eab6adc2d128def20f29e01f7925cbc705079269d83c6b1a2829647cce293"
        "e58730ad183f73efc755139fb4bd6e87cad9fb7900054218891b6e8f937cb0a95ebbcd81802230bf",
    ),
    (
        "9cc4ed4478ff19542311c3055809c7364db11af699a3fbbf30db37020a7e6f62cd8ed1e3d7ed5e257e421a"
        "2e7b0e668336e5a6ef59c2ae5b64f435d83b7e4f227d6949dbf732412e42b82410da483e9ff282a93b1f71"
        "d8a18b285be52da4256a3a8f15511ae3647ae71fa007bd7c5fc427573c32895a7db42384c670fa6e80ca22"
        "e46d8b7c14fe4680d1d574b05d766fef601648394d318dd3f526889ab1fadb0b55ddaaf3755866131e0084"
        "3a4c073ce544e145f3f0f030502db6d5372b3e417972bf9bea43b59d9c4c5226aa16210860cf057c92515b"
        "f204473a3aa3365fd134edc61b7f66e946b9d079435f0f92bcb17cfce6c4ceab61667bfb7166a9f5bb4d97"
        "18345b535db84814740e5f6adab0a5f87cb1cbe801ef9515f3e07188d015dfc43eca19966631a2322b4eb1"
        "24a4fc6879701450bf38fc0eda8ac785f8adac5a4df7a6507c1517ce9240de2a113b656d70237434141363"
        "ffd6f61b06ac9293f5aa128a3c5303ba9c43a6cf020acd4a4d974eed4474f6ad2e58ee8846ae01ed",
        "366b6de9dd0ec0de2226624a929b225a4971f7682f416b7c9d1b1be74b79447549e2101e45b09283f56640"
        "ec6daf3c0ac49dc7eb427f80431db26096a5605d5c1da8d508d4b0cf4b9dc18a53875298dab13686448dcf"
        "d9618a8b020b76628ad26b6d8bfad198aa22b7e4948adb4e37784227d82fbada7cd47197ffc2ec4c3bccef"
        "7bd8431959b8430528d22e65a2ac20833a19c20c922d678c728763d83f7c535985ff22fecc775947bd9c74"
        "4a40662acf73afb7b6cca6b43ec0ffbcd81fdcc616533c32c2eebe50f5532502e58f01c77bb965d5810f85"
        "44e506e43a5abc7da078ce84b4005829fc9f67589e2a12c44d8a8218ac451dcf857988752f2925cd9e6689"
        "d18d366aa6646d48663d3c98556496362ed9966337f2b6a835bc7f7aea34032a063110408cd27710dd2982"
        "aa23cc5ef93bc06a056516e7d76332da6ddc3ec5f4f67fd45c08541ca32cdea36f47eaf32bd6d660c844fe"
        "9e0fe9950cdfb901a02a47bf102dd0835d1d99d43dcf24132e7a7ce1df9b87b8b744731340e60c09",
    ),
)  # fmt: skip
MODULI = tuple([bytes.fromhex(modulus) for modulus, _ in _KEYS])
BROKER = {"mqtt_host": "b", "mqtt_port": 8883}
HARMFUL = (
    {"mqtt_host": "x"}, {"mqtt_port": 1}, {"mqtt_tls": 0}, {"mqtt_root": "x"}, {"ntp_host": "x"},
    {"ntp_host2": "x"}, {"link": "lorawan"}, {"lora_region": "US915"}, {"lora_certification": 1},
    {"interval_min": 1}, {"privacy_k": 2}, {"console": "open"}, {"console": "off"},
    {"site": "gate", "mqtt_host": "x"},
)  # fmt: skip
SIGNED_AT = 60_000_000  # 2026-11-26 10:40 UTC
EPOCH = 1_735_689_600


def sign(config, serial, key=0, node="n1"):
    """The command `config_set` with the signature of a key, as a dict without an id."""
    modulus, exponent = [int(number, 16) for number in _KEYS[key]]
    digest = _DIGEST_INFO + sha256(canonical(node, serial, config)).digest()
    block = b"\x00\x01" + b"\xff" * (384 - 3 - len(digest)) + b"\x00" + digest
    raw = pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(384, "big")
    text = b2a_base64(raw).decode().strip()
    return {"cmd": "config_set", "config": config, "serial": serial, "sig": text}


def _app(**blobs):
    app = FakeApp()
    app.nvs = FakeNvs(**blobs)
    return app


def _keyed():
    return _app(fleet_key=MODULI[0], fleet_key2=MODULI[1], cfg_serial=100)


def _on_console(app, **body):
    return app.command(json.dumps(body).encode(), object())


def test_an_unsigned_change_that_can_lose_the_node_is_refused():
    for change in HARMFUL:
        app = _keyed()
        why = refused(app, id=1, cmd="config_set", config=change)
        assert "signature" in why and app.nvs.kept.get("config") is None, change
        reply = _on_console(app, id=2, cmd="config_set", config=change)
        assert not reply["ok"] and "signature of the fleet's key" in reply["error"], change
        assert app.nvs.commits == 0


def test_a_node_without_a_fleet_key_takes_such_a_change_from_its_console_alone():
    for change in HARMFUL:
        app = _app()
        assert "no fleet key" in refused(app, id=1, cmd="config_set", config=change)
        assert app.nvs.commits == 0
        reply = _on_console(app, id=2, cmd="config_set", config=change)
        assert reply["ok"] and json.loads(app.nvs.kept["config"])["site"], change


def test_other_settings_need_no_signature():
    app = _keyed()
    ok(app, id=1, cmd="config_set", config={"site": "gate", "interval_min": 5})
    assert json.loads(app.nvs.kept["config"])["site"] == "gate"
    assert app.nvs.kept["cfg_serial"] == 100


def test_a_signed_change_is_stored_with_its_serial():
    for key in (0, 1):
        app = _keyed()
        result = ok(app, id=1, **sign(BROKER, 101, key))
        assert result["stored"] == BROKER
        assert json.loads(app.nvs.kept["config"])["mqtt_host"] == "b"
        assert app.nvs.kept["cfg_serial"] == 101 and app.nvs.commits == 1


def test_one_key_alone_is_enough_and_the_other_is_no_longer_valid():
    app = _app(fleet_key2=MODULI[1])
    assert "no fleet key of this node" in refused(app, id=1, **sign(BROKER, 1, 0))
    ok(app, id=2, **sign(BROKER, 1, 1))


def test_a_short_interval_is_taken_with_a_signature():
    app = _keyed()
    ok(app, id=1, **sign({"interval_min": 1}, 101))
    assert json.loads(app.nvs.kept["config"])["interval_min"] == 1


def test_a_signature_is_taken_once():
    app = _keyed()
    command = sign(BROKER, 101)
    ok(app, id=1, **command)
    app.uptime += 60
    assert "the last one was 101" in refused(app, id=2, **command)
    assert "the last one was 101" in refused(app, id=3, **sign(BROKER, 100))
    ok(app, id=4, **sign({"mqtt_port": 1}, 102))


def test_a_change_of_a_signed_command_is_noticed():
    for change in (
        {"serial": 102}, {"config": {"mqtt_host": "c", "mqtt_port": 8883}}, {"sig": ""},
        {"sig": None}, {"sig": True}, {"sig": 7}, {"sig": "A" * 512},
        {"config": {"mqtt_host": "b"}},
    ):  # fmt: skip
        app = _keyed()
        command = sign(BROKER, 101)
        command.update(change)
        assert "made the signature" in refused(app, id=1, **command), change
        assert app.nvs.commits == 0
    assert "signature" in refused(_keyed(), id=1, **sign(BROKER, 101, node="n2"))


def test_a_serial_is_a_whole_number_of_31_bits():
    for serial in (None, 0, -1, True, 1.5, "101", [], 1 << 31, 1 << 70):
        app = _keyed()
        command = sign(BROKER, 101)
        command["serial"] = serial
        assert "serial" in refused(app, id=1, **command), serial
        assert app.nvs.commits == 0


def test_values_that_cannot_be_signed_are_refused():
    for change in ({"site": True}, {"site": None}, {"site": "a\nb"}, {"site": [1]}, [], None):
        app = _keyed()
        command = sign(BROKER, 101)
        command["config"] = change
        assert refused(app, id=1, **command)
        assert app.nvs.commits == 0


def test_a_signature_of_more_than_a_week_ago_is_refused():
    week = 7 * 86_400
    for late, is_taken in ((0, True), (week, True), (week + 1, False), (-3600, True)):
        app = _keyed()
        app.clock = FakeClock(EPOCH + SIGNED_AT + late)
        if is_taken:
            ok(app, id=1, **sign(BROKER, SIGNED_AT))
        else:
            assert "7 days" in refused(app, id=1, **sign(BROKER, SIGNED_AT))
            assert app.nvs.commits == 0
    app = _keyed()
    app.clock = FakeClock()  # without a clock the serial alone decides
    ok(app, id=2, **sign(BROKER, SIGNED_AT))


def test_a_signed_change_with_a_bad_value_is_refused_and_its_serial_is_not_used():
    app = _keyed()
    assert "mqtt_port" in refused(app, id=1, **sign({"mqtt_port": 0}, 101))
    assert app.nvs.commits == 0
    ok(app, id=2, **sign(BROKER, 101))


def test_the_code_for_signatures_is_loaded_for_a_signed_command_alone():
    app = _keyed()
    for name in ("signature", "signature.rsa", "commands.signed_settings"):
        sys.modules.pop(name, None)
    ok(app, id=1, cmd="config_set", config={"site": "gate"})
    late = ("signature", "signature.rsa", "commands.signed_settings")
    assert not [name for name in late if name in sys.modules]
