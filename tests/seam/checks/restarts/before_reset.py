"""Before a reset: leave something everywhere, then go. `P["kind"]`: hard, soft, watchdog."""

import time

import machine
from esp32 import NVS
from prelude import P


def go():
    if not P["counting"]:  # else its open interval stands there
        machine.RTC().memory(b"left before " + P["kind"].encode())
    nvs = NVS("tpconform")
    nvs.set_i32("clock", time.time())
    nvs.set_blob("kind", P["kind"].encode())
    nvs.commit()
    with open("/tpconform.kept", "w") as file:
        file.write(P["kind"])
    print("@left", P["kind"])
    time.sleep_ms(300)
    if P["kind"] == "soft":
        machine.soft_reset()
    elif P["kind"] == "hard":
        machine.reset()
    machine.WDT(timeout=2000)
    while True:
        time.sleep_ms(100)
