"""An MQTT client of a scripted broker. It listens while the body of a test runs."""

import asyncio
import sys

from fake_broker import FakeBroker

BROKER = FakeBroker()
sys.modules["socket"] = BROKER

from mqtt import Client, LinkDown  # noqa: E402 - needs the socket above

TOPIC = b"root/n1/event"


def new_client(keepalive=60, user=None, ack_ms=2000, password="secret"):
    BROKER.__init__()
    client = Client(
        "tallypost-n1", "broker.example", 1883,
        user=user, password=password if user else None, keepalive=keepalive, frame_bytes=512,
    )  # fmt: skip
    client.ack_ms = ack_ms
    return client, BROKER


def text(payload):
    return lambda frame: frame.write(payload)


async def down(awaitable):
    """The message of the LinkDown that `awaitable` ends with, in a bounded time."""
    try:
        await asyncio.wait_for_ms(awaitable, 3000)
    except LinkDown as error:
        return str(error)
    raise AssertionError("no LinkDown")


def with_listener(body, **options):
    """Run body(client, broker) while the client listens."""
    client, broker = new_client(**options)

    async def main():
        await client.open()
        ended = []

        async def listen():
            try:
                await client.listen()
            except LinkDown as error:
                ended.append(str(error))
                client.drop()

        task = asyncio.create_task(listen())
        await asyncio.wait_for_ms(body(client, broker), 5000)
        task.cancel()
        return ended

    return client, broker, asyncio.run(main())


async def reconnect(client):
    """Open a new connection with a listener, as the link does after a loss."""
    client.drop()
    await asyncio.sleep_ms(20)  # the listener of the old connection ends
    await client.open()
    client.ack_ms = 2000

    async def listen():
        try:
            await client.listen()
        except LinkDown:
            return

    return asyncio.create_task(listen())
