"""Every byte on the bus of an SX126x, as in its data sheet's commands."""

import time

from fake_spi import Bus, Line, Request, failure

from radio.sx126x import SX126x

_ALIVE = {
    b"\x1d\x07\x40\x00": b"\x14\x24",  # the sync word after a reset
    b"\x17\x00": b"\0\0",
    b"\x1d\x08\xd8\x00": b"\xc8",
    b"\x1d\x08\x89\x00": b"\x01",
    b"\x1d\x07\x36\x00": b"\x0d",
}


def _chip(options=None, **more):
    answers = dict(_ALIVE)
    answers.update(more.get("answers", {}))
    bus = Bus(answers)
    busy, dio1 = Line(), Line()
    radio = SX126x(bus, (bus.cs, Line(1), busy, dio1), options)
    return radio, bus, busy, dio1


def test_start_sets_up_a_chip_with_tcxo_and_switch_on_dio2():
    radio, bus, _busy, _dio1 = _chip({"tcxo_mv": 1800, "dio2_switch": True})
    radio.start()
    assert bus.pop_said() == [
        "1d074000",
        "8000",  # standby, RC
        "9702000140",  # 1.8 V, 320 steps of 15.625 us
        "070000",
        "897f",
        "9601",  # DC-DC
        "9d01",
        "98d7db",  # 863 to 870 MHz
        "1700",
        "8a01",  # LoRa
        "8f0000",
        "9330",  # back to standby with the oscillator on
        "0d07403444",  # sync word of public networks
        "1d08d800",
        "0d08d8de",  # clamp: bits 4 to 1
        "0d08ac96",  # receiver gain
        "0802730263" + "0000" + "0000",
    ]


def test_start_leaves_out_tcxo_dcdc_and_clamp_of_an_sx1261():
    options = {"chip": "sx1261", "dcdc": False, "boost": False, "mhz": 915}
    radio, bus, _busy, _dio1 = _chip(options)
    radio.start()
    said = bus.pop_said()
    assert "9600" in said and "9d00" in said and "98e1e9" in said
    assert not [line for line in said if line[:2] == "97" or "08d8" in line or "08ac" in line]


def test_reset_is_pulled_low_and_released():
    bus = Bus(_ALIVE)
    reset = Line(1)
    SX126x(bus, (bus.cs, reset, Line(), Line())).start()
    assert reset.seen == [0, 1]


def test_transmit_sends_the_bytes_of_the_data_sheet():
    radio, bus, _busy, _dio1 = _chip()
    radio.start()
    bus.pop_said()
    radio.transmit(Request(power_dbm=14, data=b"\xaa\xbb"))
    assert bus.pop_said() == [
        "8001",
        "02ffff",
        "863641999a",  # 868.1 MHz * 2 ** 25 / 32 MHz
        "8b07040100",  # SF7, 125 kHz, 4/5, no low data rate optimisation
        "1d088900",
        "0d088905",
        "9502020001",  # 14 dBm
        "8e1604",  # 22 of the best setting for 14 dBm, 200 us
        "8c000800020100",  # 8 symbols, explicit, 2 bytes, CRC, IQ as it is
        "1d073600",
        "0d07360d",
        "0e00aabb",
        "83000000",
    ]


def test_power_follows_the_table_of_best_settings():
    expected = {
        "sx1262": ((22, "95040700018e1604"), (20, "95030500018e1604"), (16, "95020300018e1504"),
                   (12, "95020200018e1404"), (-9, "95020200018eff04"), (30, "95040700018e1604"),
                   (-40, "95020200018eff04")),
        "sx1261": ((15, "95060001018e0e04"), (14, "95040001018e0e04"), (2, "95010001018e0504"),
                   (-17, "95010001018ef204"), (22, "95060001018e0e04")),
    }  # fmt: skip
    for chip, rows in expected.items():
        radio, bus, _busy, _dio1 = _chip({"chip": chip})
        for dbm, said in rows:
            bus.pop_said()
            radio.transmit(Request(power_dbm=dbm))
            assert (
                "".join([line for line in bus.pop_said() if line[:2] in ("95", "8e")]) == said
            ), dbm


def test_prepare_and_listen_open_a_window():
    radio, bus, _busy, _dio1 = _chip()
    bus.pop_said()
    radio.prepare(Request(869_525_000, 12, symbols=7))
    assert bus.pop_said() == [
        "8001",
        "02ffff",
        "8636586666",
        "8b0c040101",  # SF12: low data rate optimisation
        "1d088900",
        "0d088905",
        "8c000800ff0001",  # any length, CRC as the header says, IQ inverted
        "1d073600",
        "0d073609",  # bit 2 is 0
        "a008",
        "0d070620",
    ]
    radio.listen()
    assert bus.pop_said() == ["82000000"]


def test_wide_bandwidths_have_their_erratum():
    for bw_hz, code, register in ((250_000, "05", "05"), (500_000, "06", "01")):
        radio, bus, _busy, _dio1 = _chip()
        radio.prepare(Request(sf=9, bw_hz=bw_hz))
        said = bus.pop_said()
        assert "8b09%s0100" % code in said and "0d0889" + register in said


def test_symbols_are_rounded_up_to_what_the_chip_can_count():
    for count, command, register in (
        (1, "a002", "08"), (6, "a006", "18"), (62, "a03e", "f8"), (63, "a040", "41"),
        (70, "a048", "49"), (100, "a068", "69"), (248, "a0f8", "f9"), (1000, "a0f8", "f9"),
    ):  # fmt: skip
        radio, bus, _busy, _dio1 = _chip()
        radio.prepare(Request(symbols=count))
        said = bus.pop_said()
        assert said[-2:] == [command, "0d0706" + register], (count, said[-2:])


def _after(flags, **answers):
    more = {b"\x12\x00": flags}
    more.update({bytes(key, "ascii"): value for key, value in answers.items()})
    radio, bus, _busy, _dio1 = _chip(answers=more)
    return radio, bus


def test_outcome_reads_and_clears_the_interrupt_flags():
    for flags, name in (
        (b"\0\1", "SENT"), (b"\2\0", "TIMED_OUT"), (b"\0\x42", "GARBLED"), (b"\0\x20", "GARBLED"),
        (b"\0\0", "NOTHING"), (b"\0\4", "NOTHING"),
    ):  # fmt: skip
        radio, bus = _after(flags)
        assert radio.outcome() == getattr(radio, name), name
        cleared = ["02" + "".join(["%02x" % byte for byte in flags])]
        assert bus.pop_said()[1:] == ([] if name == "NOTHING" else cleared)


def test_has_header_is_true_before_the_end_of_the_frame():
    for flags, seen in ((b"\0\x10", True), (b"\0\4", False)):
        radio, _bus = _after(flags)
        assert radio.has_header() is seen and radio.outcome() == radio.NOTHING


def test_a_received_frame_has_its_strength():
    radio, bus, _busy, _dio1 = _chip(
        answers={
            b"\x12\x00": b"\0\x12", b"\x13\x00": b"\3\x10", b"\x1e\x10\x00": b"abc",
            b"\x14\x00": b"\xb4\xec\xb5",
        }
    )  # fmt: skip
    assert radio.outcome() == radio.RECEIVED
    assert bytes(radio.data()) == b"abc"
    assert (radio.rssi, radio.snr) == (-90, -5)
    assert bus.pop_said() == ["1200", "020012", "1300", "1e1000", "1400"]


def test_the_interrupt_keeps_the_time_of_the_last_edge():
    radio, _bus, _busy, dio1 = _chip()
    radio.listen()
    assert radio.irq_us is None
    before = time.ticks_us()
    dio1.handler(dio1)
    seen = radio.irq_us
    assert 0 <= time.ticks_diff(seen, before) < 1_000_000
    time.sleep_ms(5)
    dio1.handler(dio1)
    assert time.ticks_diff(radio.irq_us, seen) >= 1000
    radio.listen()
    assert radio.irq_us is None


def test_standby_stops_everything():
    radio, bus, _busy, _dio1 = _chip()
    radio.standby()
    assert bus.pop_said() == ["8000", "02ffff"]


def test_the_antenna_switch_follows_the_operation():
    positions = []
    radio, _bus, _busy, _dio1 = _chip({"switch": positions.append})
    radio.start()
    radio.transmit(Request())
    radio.prepare(Request())
    radio.standby()
    assert positions == [0, 2, 1, 0]


def test_a_silent_chip_is_an_oserror():
    for silence in (b"\0\0", b"\xff\xff"):
        radio, _bus, _busy, _dio1 = _chip(answers={b"\x1d\x07\x40\x00": silence})
        assert "no SX126x answers" in failure(radio.start)


def test_a_stuck_busy_line_is_an_oserror():
    radio, _bus, busy, _dio1 = _chip()
    busy.level = 1
    assert failure(radio.start) == "radio: BUSY stays high"
    assert failure(radio.standby) == "radio: BUSY stays high"


def test_a_dead_oscillator_is_an_oserror():
    radio, _bus, _busy, _dio1 = _chip(answers={b"\x17\x00": b"\0\x20"})
    assert "0020" in failure(radio.start)


def test_unknown_options_are_refused():
    assert "tcxo_volts" in failure(_chip, {"tcxo_volts": 1.8})
    assert "1850" in failure(_chip, {"tcxo_mv": 1850})
    assert "sx1268" in failure(_chip, {"chip": "sx1268"})
