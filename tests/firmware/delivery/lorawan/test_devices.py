"""The LoRaWAN device of a board: the table of its region, the band of its chip, its modem."""

import random
import sys

from board_parts import FakeLog, FakeNvs
from config.schema import rows
from core.modules import unload
from delivery.lorawan import radio_device as module
from delivery.lorawan.modem_device import modem_device

KEYS = (bytes(8), bytes(8), bytes(16))
# Region, and the frequency in MHz for which the chip is calibrated.
REGIONS = (
    ("EU868", 866), ("AS923", 921), ("AS923-2", 921), ("AS923-3", 918), ("AS923-4", 918),
    ("US915", 915),
)  # fmt: skip


class Driver:
    mhz = 868


def _device(region):
    driver = Driver()
    made = module.radio_device(
        driver, KEYS, FakeNvs(), rng=random.getrandbits, log=FakeLog(), recent=None, region=region
    )
    return made, driver.mhz


def test_every_region_of_the_configuration_has_its_table():
    [choices] = [row[2] for row in rows() if row[0] == "lora_region"]
    assert sorted([row[0] for row in REGIONS]) == sorted(choices)


def test_the_device_gets_the_table_of_its_region_and_calibrates_its_chip_for_it():
    module.EndDevice = lambda driver, identity, region, store, **rest: region
    for name, mhz in REGIONS:
        region, calibrated = _device(name)
        assert (region.table.NAME, calibrated, region.sure_bytes) == (name, mhz, 51)


def test_a_node_in_europe_loads_no_other_table():
    _device("EU868")
    for name, is_loaded in (("eu868", True), ("as923", False), ("us915", False)):
        assert ("lorawan.regions." + name in sys.modules) == is_loaded, name


def test_the_table_in_use_outlives_its_module():
    module.EndDevice = lambda driver, identity, region, store, **rest: region
    for name, _mhz in REGIONS:
        region, _calibrated = _device(name)
        for one in ("eu868", "as923", "us915", "fixed_plan"):
            unload("lorawan.regions." + one)
        assert region.table.NAME == name and region.modulation(region.table.RX2_RATE)


def test_a_device_is_not_joined_at_first():
    made, _mhz = _device("EU868")
    assert made.max_payload() == 0 and made.modulation() is None


def test_wrong_keys_are_refused():
    try:
        module.radio_device(
            Driver(), (bytes(8), bytes(8), bytes(15)), FakeNvs(), rng=random.getrandbits,
            log=FakeLog(), recent=None, region="EU868",
        )  # fmt: skip
    except ValueError:
        return
    raise AssertionError("accepted")


def test_a_modem_without_the_region_names_the_regions_that_it_has():
    made = dict(rng=random.getrandbits, log=FakeLog(), reset=None)
    for name in ("rui3", "e5", "rn2483"):
        modem_device(None, name, KEYS, region="EU868", **made)
        try:
            modem_device(None, name, KEYS, region="US915", **made)
            raise AssertionError("accepted")
        except ValueError as error:
            assert error.args[0] == "lora_region = US915: this modem has EU868"
