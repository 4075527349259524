"""The tests of the collector, with a store in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.tools.backend import test_collector, test_gone, test_hostile
from tests.tools.backend.test_collector import Backend

from tallypost.backend.stores import logs


@pytest.fixture
def backend(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    monkeypatch.setattr(logs, "GAP_OPEN_S", 0.0)
    made = Backend(url)
    yield made
    made.collector.close()


_OF_SQLITE = {  # these look into the file
    "test_a_confirmed_record_is_on_disk", "test_a_failing_disk_confirms_nothing",
    "test_a_failing_disk_still_ends_the_collector", "test_a_file_of_another_version_is_refused",
    "test_a_file_of_each_older_layout_is_migrated",
    "test_a_number_that_was_confirmed_by_a_false_claim_is_repaired",
    "test_a_record_repairs_a_poisoned_number_as_well",
    "test_a_node_that_reports_a_lower_newest_number_corrects_the_backend",
    "test_a_start_that_cannot_be_true_is_stored_without_a_time",
    "test_new_records_of_a_node_are_bounded_in_a_day",
    "test_a_restart_on_the_same_file_continues",
}  # fmt: skip


def _takes_a_backend(test: object) -> bool:
    code = getattr(test, "__code__", None)
    return code is not None and "backend" in code.co_varnames[: code.co_argcount]


for _module in (test_collector, test_gone, test_hostile):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and _name not in _OF_SQLITE and _takes_a_backend(_test):
            globals()[_name] = _test
