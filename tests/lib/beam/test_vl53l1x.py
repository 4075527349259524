"""The VL53L1X against a made bus on a virtual clock."""

import asyncio
import gc

import beam.vl53l1x
from sensor_line import VirtualTime
from beam.vl53l1x import BLOCKED, OK, QUIET, SILENT, VL53L1X


class Bus:
    """Registers of the sensor. distances: of each measurement, in order. None = no echo."""

    def __init__(self, clock, distance=lambda zone, ms: 3000):
        self.clock, self.distance = clock, distance
        self.registers = {0x10F: 0xEA, 0x110: 0xCC, 0xE5: 3}
        self.is_absent = self.is_hung = False
        self.writes = []
        self.jitter = 0

    def writeto_mem(self, addr, register, data, *, addrsize):
        self._check(addr, addrsize)
        if len(self.writes) < 20:
            self.writes.append((register, bytes(data)))
        for i, value in enumerate(data):
            self.registers[register + i] = value
        if register == 0x7F:
            self._measure()

    def _measure(self):
        zone = (167, 231).index(self.registers[0x7F])
        distance = self.distance(zone, self.clock.ticks_ms())
        self.jitter ^= 1
        self.registers[0x31] = 0 if self.is_hung else 1
        self.registers[0x89] = 9 if distance else 4
        if distance:
            distance += self.jitter if self.distance else 0
            self.registers[0x96], self.registers[0x97] = distance >> 8, distance & 255

    def readfrom_mem_into(self, addr, register, buf, *, addrsize):
        self._check(addr, addrsize)
        for i in range(len(buf)):
            buf[i] = self.registers.get(register + i, 0)

    def _check(self, addr, addrsize):
        assert addr == 0x29 and addrsize == 16
        if self.is_absent:
            raise OSError(19)


def _made(distance=lambda zone, ms: 3000):
    clock = VirtualTime(beam.vl53l1x)
    bus = Bus(clock, distance)
    return VL53L1X(bus, {}), bus, clock


def _run(driver, clock, ms):
    """Let it measure for so long, with a tick a second. Returns the passages."""

    class Slept:
        @staticmethod
        async def sleep_ms(n):
            clock.us += n * 1000

    beam.vl53l1x.asyncio = Slept
    until_ms, tick_ms = clock.ticks_ms() + ms, clock.ticks_ms()
    found = []
    while clock.ticks_ms() < until_ms:
        gc.collect()
        asyncio.run(driver.wait())
        if clock.ticks_ms() - tick_ms >= 1000:
            tick_ms = clock.ticks_ms()
            driver.tick(tick_ms)
        while (passage := driver.pop()) is not None:
            found.append(passage[:3])
    return found


def test_it_is_set_up_as_the_ports_of_the_makers_driver_do():
    driver, bus, _ = _made()
    asyncio.run(driver.start())
    assert driver.state == QUIET
    registers = dict(bus.writes)
    assert len(registers[0x2D]) == 91
    assert registers[0x5E] == b"\x00\x60" and registers[0x61] == b"\x00\x6e"
    assert registers[0x7F] == b"\xa7\xf7\x9b\x00\x00\x00\x01\x01\x40"


def test_zones_are_measured_in_turn_and_a_walker_is_counted():
    def distance(zone, ms):
        begin = 3000 + 250 * zone
        return 1200 if begin <= ms - started < begin + 400 else 3000

    driver, bus, clock = _made(distance)
    started = clock.ticks_ms()
    asyncio.run(driver.start())
    assert _run(driver, clock, 6000) == [(0, 4, -1)]
    centres = [data[0] for register, data in bus.writes if register == 0x7F]
    assert centres[:4] == [167, 231, 167, 231] and driver.state == OK


def test_a_sensor_that_does_not_answer_is_silent_and_set_up_anew_later():
    driver, bus, clock = _made()
    asyncio.run(driver.start())
    bus.is_absent = True
    _run(driver, clock, 3000)
    assert driver.state == SILENT and driver.stats()["answer_timeouts"] == 1
    bus.is_absent = False
    _run(driver, clock, 12_000)
    assert driver.state in (OK, QUIET) and driver.stats()["silences"] == 1


def test_another_chip_at_the_address_is_not_taken_for_it():
    driver, bus, _ = _made()
    bus.registers[0x10F] = 0xEE
    asyncio.run(driver.start())
    assert driver.state == SILENT


def test_a_sensor_that_measures_nothing_is_stale():
    driver, bus, clock = _made()
    asyncio.run(driver.start())
    bus.is_hung = True
    _run(driver, clock, 3000)
    assert driver.state == SILENT and driver.stats()["stale"] == 1


def test_a_sensor_that_repeats_one_distance_is_stale():
    driver, bus, clock = _made()
    asyncio.run(driver.start())
    bus._measure = lambda: None
    bus.registers.update({0x31: 1, 0x89: 9, 0x96: 5, 0x97: 220})
    _run(driver, clock, 5000)
    assert driver.state == SILENT and driver.stats()["stale"] == 1


def test_no_echo_is_nothing_in_reach_and_not_stale():
    driver, _, clock = _made(lambda zone, ms: 0)
    asyncio.run(driver.start())
    assert _run(driver, clock, 10_000) == [] and driver.stats()["stale"] == 0


def test_a_person_who_stands_there_for_a_minute_blocks_it():
    driver, _, clock = _made(lambda zone, ms: 3000 if ms - started < 3000 else 1000)
    started = clock.ticks_ms()
    asyncio.run(driver.start())
    _run(driver, clock, 70_000)
    assert driver.state == BLOCKED
