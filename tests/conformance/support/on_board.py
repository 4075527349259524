"""Runs on the simulated board: an end device with a radio driver. Prints its events.

`board.py` puts the settings beside it on the file system.
"""

import asyncio
import gc
import random
import time

import esp32
import machine
from binascii import hexlify
from lorawan.device.storage import NvsStore
from lorawan.frames import Identity
from lorawan.radio import Radio
from lorawan.regions.region import Region
from lorawan.device.end_device import EndDevice
from settings import SETTINGS


class Log:
    def info(self, text, *args):
        print("info", text % args if args else text)

    warn = info

    def debug(self, text, *args):
        pass


class Recent:
    def __init__(self):
        self.rtc = machine.RTC()

    def read(self):
        return self.rtc.memory()

    def write(self, data):
        self.rtc.memory(data)


def slow(radio):
    """Makes `prepare()` of a driver slow, as the collection of a large heap does."""
    prepare = radio.prepare

    def longer(request):
        time.sleep_us(SETTINGS["slow_us"])
        prepare(request)

    radio.prepare = longer
    return radio


def driver():
    pins = SETTINGS["pins"]
    spi = machine.SPI(1, baudrate=8_000_000)
    cs = machine.Pin(pins["cs"], machine.Pin.OUT, value=1)
    reset = machine.Pin(pins["reset"], machine.Pin.OUT, value=1)
    if SETTINGS["chip"] == "sx1276":
        from radio.sx127x import SX127x

        dios = machine.Pin(pins["dio0"]), machine.Pin(pins["dio1"])
        return SX127x(spi, (cs, reset) + dios, SETTINGS["options"])
    from radio.sx126x import SX126x

    lines = machine.Pin(pins["busy"]), machine.Pin(pins["dio1"])
    return SX126x(spi, (cs, reset) + lines, SETTINGS["options"])


def region(radio):
    """The region, with the chip calibrated for its band."""
    if SETTINGS["region"] == "US915":
        from lorawan.regions import us915 as table

        radio.mhz = 915
    else:
        from lorawan.regions import eu868 as table
    return Region(table, 51)


def on_down(port, payload):
    print("down", port, hexlify(payload).decode())


def on_time(utc_s, ms):
    print("time", utc_s, time.ticks_diff(time.ticks_ms(), ms))


def on_reset(shut):
    print("reset", shut)
    machine.reset()


async def chatter():
    """Other work: allocates, and holds the event loop for some milliseconds."""
    while True:
        time.sleep_us(random.getrandbits(SETTINGS["chatter_bits"]))
        await asyncio.sleep_ms(50)


async def work(device):
    asyncio.create_task(device.run())
    if SETTINGS["chatter_bits"]:
        asyncio.create_task(chatter())
    while not device.max_payload():
        await asyncio.sleep(1)
    print("up", device.max_payload(), device.data_rate())
    for number in range(SETTINGS["frames"]):
        payload = b"%04d" % number
        try:
            good = await device.send(2, payload, SETTINGS["confirmed"])
        except (OSError, ValueError) as error:
            print("failed", error)
            good = None
        print("sent", number, good)
        await asyncio.sleep(SETTINGS["pause_s"])
    print("state", device.state())
    gc.collect()
    print("heap", gc.mem_alloc())
    print("done")
    while True:
        await asyncio.sleep(60)


def main():
    gc.collect()
    print("heap", gc.mem_alloc())
    who = Identity(*[bytes(part) for part in SETTINGS["identity"]])
    radio = slow(driver())
    device = EndDevice(
        radio, who, region(radio), NvsStore(esp32.NVS("lora")),
        rng=random.getrandbits, log=Log(), recent=Recent(), join_within_s=SETTINGS["within_s"],
        radio=Radio(SETTINGS["error_us"], SETTINGS["drift_ppm"]),
    )  # fmt: skip
    device.on_down, device.on_time = on_down, on_time
    device.on_reset = on_reset
    if SETTINGS["certify"]:
        device.certify(b"\0\1\0\0")
    asyncio.run(work(device))


main()  # it is what this is imported for
