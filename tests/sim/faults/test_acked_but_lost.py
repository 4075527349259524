"""Messages that a broker acknowledges and loses still reach the backend, once.

mosquitto acknowledges a publish that its access list denies, that has no subscriber, that it has
not saved yet, and that its queue cannot hold. Each test makes sure that this has happened (the
node has its PUBACKs, the backend has nothing) before the backend comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.runs.delivering import ROOM_FOR_ONE, Backend, Node, confirmed_whole
from tests.support.runs.running import Mosquitto

OPEN = ("allow_anonymous true", "persistence false")
BACKEND_ONLY = (
    "user backend\ntopic readwrite tallypost/v1/#\nuser n1\ntopic read tallypost/v1/n1/#\n"
)
BOTH = BACKEND_ONLY + "topic write tallypost/v1/n1/#\n"


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    """Ends everything that a test has started."""
    with ExitStack() as stack:
        yield stack


def _broker(ends: ExitStack, folder: Path, *lines: str) -> Mosquitto:
    broker = Mosquitto(folder, *lines, "user root")  # the folder is this user's alone
    ends.callback(broker.stop)
    return broker


def _backend(ends: ExitStack, folder: Path, broker: Mosquitto, *options: str) -> Backend:
    backend = Backend(folder, broker.port, *options)
    ends.callback(backend.stop)
    backend.start()
    return backend


def _node(ends: ExitStack, broker: Mosquitto, **options: int) -> Node:
    node = Node(broker.port, user="n1", **options)
    ends.callback(node.stop)
    return node


def _acknowledged(node: Node, sent: int) -> None:
    """Wait until the broker has acknowledged that many intervals."""
    node.waits_until(lambda state: state["sent"] >= sent)


def test_intervals_denied_by_the_access_list_come_later(tmp_path: Path, ends: ExitStack) -> None:
    access = tmp_path / "access"
    access.write_text(BOTH)
    broker = _broker(ends, tmp_path, *OPEN, f"acl_file {access}")
    backend = _backend(ends, tmp_path, broker, "--user", "backend")
    node = _node(ends, broker)
    node.close(5)
    confirmed_whole(node, backend, 5)
    access.write_text(BACKEND_ONLY)
    broker.read_again()
    node.close(40)
    _acknowledged(node, 45)
    assert backend.held() < 45
    access.write_text(BOTH)
    broker.read_again()
    assert confirmed_whole(node, backend, 45)["rewinds"]


def test_a_new_node_delivers_after_the_access_list_is_mended(
    tmp_path: Path, ends: ExitStack
) -> None:
    """A backend that has never confirmed learns of the gap by the next interval."""
    access = tmp_path / "access"
    access.write_text(BACKEND_ONLY)
    broker = _broker(ends, tmp_path, *OPEN, f"acl_file {access}")
    backend = _backend(ends, tmp_path, broker, "--user", "backend")
    node = _node(ends, broker)
    node.close(30)
    _acknowledged(node, 30)
    assert backend.held() == 0
    access.write_text(BOTH)
    broker.read_again()
    node.waits_until(lambda state: node.close(1) or backend.held() > 0)
    confirmed_whole(node, backend, node.state()["closed"])


def test_intervals_without_a_subscriber_come_later(tmp_path: Path, ends: ExitStack) -> None:
    broker = _broker(ends, tmp_path, *OPEN)
    node = _node(ends, broker)
    node.close(30)
    _acknowledged(node, 30)
    backend = _backend(ends, tmp_path, broker, "--client-id", "")
    node.close(1)
    confirmed_whole(node, backend, 31)
    backend.stop()
    node.close(30)
    _acknowledged(node, 61)
    backend.start()
    confirmed_whole(node, backend, 61)


def test_intervals_a_killed_broker_had_not_saved_come_later(
    tmp_path: Path, ends: ExitStack
) -> None:
    saved = ("persistence true", f"persistence_location {tmp_path}/", "autosave_interval 1800")
    broker = _broker(ends, tmp_path, "allow_anonymous true", *saved)
    backend = _backend(ends, tmp_path, broker)
    node = _node(ends, broker)
    node.close(5)
    confirmed_whole(node, backend, 5)
    backend.stop()  # its session stays, and what is sent waits in it
    node.close(40)
    _acknowledged(node, 45)
    broker.kill()
    broker.start()
    backend.start()
    assert confirmed_whole(node, backend, 45)["connects"] == 2


@pytest.mark.parametrize("session", ["tallypost-listen", ""])
def test_intervals_beyond_the_queue_come_later(
    tmp_path: Path, ends: ExitStack, session: str
) -> None:
    """2000 messages while the backend is away. mosquitto keeps 1000 for a session, else none."""
    broker = _broker(ends, tmp_path, *OPEN)
    backend = _backend(ends, tmp_path, broker, "--client-id", session)
    node = _node(ends, broker, room=ROOM_FOR_ONE)
    node.close(5)
    confirmed_whole(node, backend, 5)
    backend.stop()
    node.close(2000)
    assert node.waits_until(lambda state: state["sent"] == 2005)["pid"] > 2000
    assert backend.held() == 5
    backend.start()
    confirmed_whole(node, backend, 2005)
