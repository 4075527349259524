"""Runs on the simulated board: an end device on an AT modem that sends numbered uplinks.

Prints one line of JSON for each event, and its state at the end. `modem_rig.py` puts `PLAN` in
front: the modem, its baud rate, the number of uplinks, seconds between them, every how many is
confirmed, whether the node restarts once after them.
"""

import asyncio
import gc
import json
import time
from binascii import hexlify, unhexlify

import machine
from machine import UART
from modem import EndDevice

PLAN = globals()["PLAN"]


class Log:
    def info(self, text, *args):
        tell("log", text % args if args else text)

    warn = info


def tell(kind, *facts):
    print(json.dumps([kind, time.ticks_ms()] + list(facts)))


def settings():
    return {
        "lora_dev_eui": unhexlify("70b3d57ed0000002"), "lora_join_eui": bytes(range(1, 9)),
        "lora_app_key": bytes(range(16)), "lora_region": "EU868",
        "lora_data_rate": PLAN["rate"], "lora_adr": PLAN["adr"],
    }  # fmt: skip


async def uplinks(device):
    while not device.max_payload():
        await asyncio.sleep(1)
    for number in range(PLAN["uplinks"]):
        confirmed = PLAN["confirmed"] and number % PLAN["confirmed"] == 0
        good, tries = False, 0
        while not good and tries < PLAN["tries"]:
            tries += 1
            try:
                good = await device.send(2, number.to_bytes(2, "big") + bytes(8), confirmed)
            except (OSError, ValueError) as error:
                tell("error", str(error))
            if not good:
                await asyncio.sleep(20)
        tell("sent", number, good)
        await asyncio.sleep(PLAN["every_s"])


async def main():
    uart = UART(2, PLAN["baud"], rxbuf=1024)
    gc.collect()
    before = gc.mem_alloc()

    def rng(bits):
        return 77 & ((1 << bits) - 1)

    device = EndDevice(uart, PLAN["modem"], settings(), rng, Log())
    gc.collect()
    tell("heap", gc.mem_alloc() - before)
    device.on_down = lambda port, payload: tell("down", port, hexlify(payload).decode())
    device.on_time = lambda utc, ms: tell("time", utc, ms)
    asyncio.create_task(device.run())
    await uplinks(device)
    gc.collect()
    tell("heap", gc.mem_alloc() - before)
    tell("state", device.state(), device.max_payload())
    if PLAN["reset"] and machine.reset_cause() == machine.PWRON_RESET:
        machine.reset()
    while True:
        await asyncio.sleep(3600)


asyncio.run(main())
