# heap: 1m
"""A new configuration on trial: kept when a record is acknowledged under it, else given up."""

import json

from board_parts import FakeLog, FakeNvs
from config import schema
from config.schema import accept
from config.trial import begin, differs_in_link, go_back, look
from core.faults import TRIAL_FAILED

GOOD, NEW = b'{"mqtt_host": "good"}', b'{"mqtt_host": "tyop"}'


class Outbox:
    """What a link has delivered. A test changes it."""

    delivered = 7

    def __init__(self):
        self.events = []

    def done(self):
        return self.delivered

    def event(self, name, **fields):
        self.events.append((name, fields))


class Network:
    is_there = True
    error = "dns: no such name"

    def is_up(self):
        return self.is_there


class Node:
    """The application as far as a trial needs it."""

    def __init__(self, **blobs):
        self.nvs = FakeNvs(**(blobs or {"config": NEW, "config_ok": GOOD}))
        self.config = accept(json.loads(NEW))
        self.log = FakeLog()
        self.uplink = Outbox()
        self.lora = None
        self.link = self.wifi = Network()
        self.resets = 0

    def reset_soon(self):
        self.resets += 1

    def begin(self, is_bounded=True):
        self.trial = begin(self.nvs, is_bounded)

    def beat(self, uptime):
        """A second of the heartbeat. True when the trial is over."""
        if self.trial and uptime >= self.trial[0]:
            look(self, uptime)
        return not self.trial

    def try_out(self, seconds, is_bounded=True):
        """Seconds that the trial took, None if it goes on."""
        self.begin(is_bounded)
        for uptime in range(1, seconds + 1):
            if self.beat(uptime):
                return uptime
        return None


def test_without_an_acknowledgement_the_last_good_configuration_comes_back():
    node = Node()
    assert node.try_out(700) == 601
    assert node.nvs.kept["config"] == GOOD == node.nvs.kept["config_ok"] and node.resets == 1
    [(name, fields)] = node.uplink.events
    assert name == "fault" and fields["code"] == TRIAL_FAILED
    assert "%08x" % node.config.hash in fields["reason"] and "no such name" in fields["reason"]


def test_with_an_acknowledgement_the_new_configuration_is_the_good_one():
    for seconds in (1, 500, 599):
        node = Node()
        node.begin()
        for uptime in range(1, seconds + 1):
            assert not node.beat(uptime)
        node.uplink.delivered += 1
        assert any([node.beat(uptime) for uptime in range(seconds + 1, seconds + 61)])
        assert node.nvs.kept["config_ok"] == NEW == node.nvs.kept["config"]
        assert node.resets == 0 and node.uplink.events == []


def test_the_acknowledgement_may_come_over_the_other_link():
    node = Node()
    node.lora = Outbox()
    node.begin()
    assert not node.beat(1)
    node.lora.delivered += 1
    assert node.beat(61) and node.nvs.kept["config_ok"] == NEW


def test_an_absent_wifi_says_nothing_for_two_days():
    node = Node()
    node.wifi.is_there = False
    assert 172_800 <= node.try_out(180_000) < 172_860 and node.resets == 1


def test_over_lorawan_alone_the_trial_takes_two_days():
    node = Node()
    node.link = node.wifi = None
    assert 172_800 <= node.try_out(180_000) < 172_860 and node.resets == 1
    assert node.nvs.kept["config"] == GOOD


def test_restarts_do_not_prolong_it_for_ever():
    node = Node()
    for _ in range(8):
        assert node.try_out(500) is None
    assert node.try_out(500) == 1 and node.nvs.kept["config"] == GOOD
    assert node.nvs.kept["tries"] == 0


def test_other_settings_are_kept_without_a_bound():
    node = Node()
    assert node.try_out(180_000, is_bounded=False) is None
    assert node.nvs.commits == 0 and node.resets == 0


def test_nvs_that_takes_no_writes_ends_the_trial_without_a_restart():
    def refuse():
        raise OSError(-0x1105)

    for delivered in (7, 8):
        node = Node()
        node.begin()
        node.beat(1)
        node.nvs.commit = refuse
        node.uplink.delivered = delivered
        assert any([node.beat(uptime) for uptime in range(2, 603)]) and node.resets == 0
        assert node.log.lines[-1] == ("error", "nvs: OSError(-4357,)")


class Cut(Exception):
    """The power fails."""


class CutNvs(FakeNvs):
    """Keeps each value at once, as the chip does. The power fails at write number `writes`."""

    def __init__(self, writes):
        super().__init__(config=NEW, config_ok=GOOD)
        self.left = writes

    def set_i32(self, key, value):
        if not self.left:
            raise Cut
        self.left -= 1
        self.kept[key] = value

    def set_blob(self, key, value):
        self.set_i32(key, bytes(value))


def _cut(writes, acknowledged):
    """A node after a trial that a power cut ended."""
    node = Node()
    node.nvs = CutNvs(writes)
    try:
        node.begin()
        node.beat(1)
        node.uplink.delivered += acknowledged
        uptime = 2
        while not node.beat(uptime):
            uptime += 1
    except Cut:
        pass
    node.nvs = FakeNvs(**node.nvs.kept)
    return node


def test_a_power_cut_at_any_write_leaves_the_old_or_the_new_configuration():
    for acknowledged in (0, 1):
        for writes in range(5):
            node = _cut(writes, acknowledged)
            kept = node.nvs.kept["config"], node.nvs.kept["config_ok"]
            assert kept in ((NEW, GOOD), (NEW, NEW) if acknowledged else (GOOD, GOOD)), kept
            if kept == (NEW, GOOD):  # the next start tries again
                assert node.try_out(700) == 601 and node.nvs.kept["config"] == GOOD


def test_safe_mode_goes_back():
    nvs = FakeNvs(config=NEW, config_ok=GOOD, tries=3)
    go_back(nvs)
    assert nvs.kept["config"] == GOOD and nvs.kept["tries"] == 0 and nvs.commits == 1


def test_a_configuration_differs_in_its_link_from_the_last_good_one():
    nvs = FakeNvs(config_ok=b'{"mqtt_host": "a", "site": "x"}')
    for values, differs in (
        ({"mqtt_host": "a", "site": "y", "radar_line_m": 15}, False), ({"mqtt_host": "b"}, True),
        ({"mqtt_host": "a", "mqtt_port": 1}, True), ({"mqtt_host": "a", "link": "both"}, True),
        ({"mqtt_host": "a", "lora_region": "US915"}, True),
    ):  # fmt: skip
        assert differs_in_link(schema, nvs, accept(values)) is differs, values
    assert not differs_in_link(schema, FakeNvs(), accept({"mqtt_host": "b"})), (
        "there is none before"
    )
