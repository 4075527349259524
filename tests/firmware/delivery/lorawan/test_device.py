"""The station of a board: one region's table in memory, the chip calibrated for its band."""

import random
import sys

from config.schema import rows
from board_parts import FakeLog, FakeNvs
from delivery.lorawan.device import bare, modem

KEYS = {"lora_dev_eui": bytes(8), "lora_join_eui": bytes(8), "lora_app_key": bytes(16)}


class Driver:
    mhz = 868


def nvs():
    made = FakeNvs()
    for key, value in KEYS.items():
        made.set_blob(key, value)
    return made


def station(region):
    driver = Driver()
    made = bare(
        driver, nvs(), FakeNvs(), rng=random.getrandbits, log=FakeLog(), recent=None,
        region=region,
    )  # fmt: skip
    return made.mac._region, driver.mhz


# In the order in which a test may take them: what was loaded stays.
REGIONS = (
    ("EU868", 866, ("eu868",)), ("AS923", 921, ("eu868", "as923")),
    ("AS923-2", 921, ("eu868", "as923")), ("AS923-3", 918, ("eu868", "as923")),
    ("AS923-4", 918, ("eu868", "as923")),
    ("US915", 915, ("eu868", "as923", "us915", "fixed_plan")),
)  # fmt: skip


def test_every_region_of_the_configuration_has_its_table():
    [choices] = [row[2] for row in rows() if row[0] == "lora_region"]
    assert sorted([row[0] for row in REGIONS]) == sorted(choices)


def test_the_region_of_the_configuration_is_the_only_one_in_memory():
    for name, mhz, modules in REGIONS:
        region, calibrated = station(name)
        assert (region.table.NAME, calibrated) == (name, mhz)
        assert region.sure_bytes == 51
        for module in ("eu868", "as923", "us915", "fixed_plan"):
            loaded = "lorawan.regions." + module in sys.modules
            assert loaded == (module in modules), (name, module)


def test_a_modem_that_does_not_know_the_region_says_which_it_knows():
    made = dict(rng=random.getrandbits, log=FakeLog(), reset=None)
    for name in ("rui3", "e5", "rn2483"):
        modem(None, name, nvs(), region="EU868", **made)
        try:
            modem(None, name, nvs(), region="US915", **made)
            raise AssertionError("accepted")
        except ValueError as error:
            assert error.args[0] == "lora_region = US915: this modem has EU868"
