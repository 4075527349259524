"""`LIVE=1`: a broker on a TCP port of this machine that any MQTT client can join (amqtt)."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.run.plans.plan import BrokerAddress
from simulator.world.chip.process import die_with_parent
from tallypost.faults import ToolError

HOST = "127.0.0.1"
READY_S = 15.0
_ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def live_broker(port: int) -> Iterator[BrokerAddress]:
    """Run the broker as a process of its own. Raises ToolError if the port is busy."""
    _check_free(port)
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator.run.processes.live", str(port)],
        cwd=_ROOT,
        start_new_session=True,  # Ctrl-C is for the run. The broker ends a moment later.
        preexec_fn=die_with_parent,
    )
    try:
        _wait_until_it_listens(process, port)
        yield BrokerAddress(HOST, port)
    finally:
        process.terminate()
        process.wait()


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ToolError(
                f"cannot open port {port} of {HOST}: {error.strerror}",
                f"choose another one with PORT=, or use that broker: BROKER={HOST}:{port}",
            ) from error


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise ToolError(
        f"the broker did not start on port {port} within {READY_S:.0f} s",
        "run the command again, or choose another port with PORT=",
    )


async def _serve(port: int) -> None:
    from amqtt.broker import Broker  # takes a second to import, and only this process needs it

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = Broker(config)
    await broker.start()
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(int(sys.argv[1])))
