"""Tests pass beside a broker at port 1883, and as a background job of a shell."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from tests.packaging.installed import ROOT

MQTT_PORT = 1883
SENSITIVE = (
    "tests/board/test_life.py::test_make_board_shows_commands_to_try_and_ends_on_ctrl_c",
    "tests/sim/jobs/test_live.py::test_a_busy_port_is_one_clear_line",
)


@pytest.fixture
def broker_of_the_machine() -> Iterator[None]:
    """A listener at port 1883, unless the machine has one."""
    with ExitStack() as stack:
        for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
            with suppress(OSError):
                made = stack.enter_context(socket.socket(family))
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind((host, MQTT_PORT))
                made.listen()
        with socket.create_connection(("127.0.0.1", MQTT_PORT), timeout=5):
            yield


def ignore_sigint() -> None:
    """A shell without job control does this to a command with `&`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_sensitive_tests_pass_in_the_background_beside_a_broker(
    broker_of_the_machine: None,
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *SENSITIVE],
        cwd=ROOT, preexec_fn=ignore_sigint, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0 and f"{len(SENSITIVE)} passed" in ran.stdout, ran.stdout[-4000:]
