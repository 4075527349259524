"""Every byte on the bus of an SX127x, as in its data sheet's registers."""

from fake_spi import Bus, Line, Request, failure

from radio.sx127x import SX127x

_ALIVE = {b"\x42": b"\x12", b"\x3b": b"\x02", b"\x01": b"\x81"}


def _chip(options=None, answers=None, dio1=True):
    more = dict(_ALIVE)
    more.update(answers or {})
    bus = Bus(more)
    dios = Line(), Line() if dio1 else None
    return SX127x(bus, (bus.cs, Line(1)) + dios, options), bus, dios


def test_start_sets_up_the_chip():
    radio, bus, _dios = _chip()
    radio.start()
    assert bus.pop_said() == [
        "42",
        "8101",  # FSK standby
        "8900",
        "86d90000",  # 868 MHz * 2 ** 19 / 32 MHz
        "3b",
        "bb42",
        "3b",
        "8100",
        "8180",  # LoRa in sleep
        "8181",
        "01",
        "8c23",
        "8e0000",
        "a00008",
        "a3ff",
        "b70a",
        "b934",
    ]


def test_start_selects_the_tcxo():
    radio, bus, _dios = _chip({"tcxo": True})
    radio.start()
    assert "cb19" in bus.pop_said()


def test_transmit_sends_the_bytes_of_the_data_sheet():
    radio, bus, _dios = _chip()
    radio.transmit(Request(power_dbm=14, data=b"\xaa\xbb"))
    assert bus.pop_said() == [
        "8181",
        "92ff",
        "9107",  # all but TxDone, RxDone, RxTimeout, PayloadCrcError, ValidHeader
        "86d90666",
        "9d727400",  # 125 kHz, 4/5, explicit; SF7, CRC
        "a604",
        "b603",
        "b143",
        "af4000",
        "898c",
        "cd84",
        "8b2b",
        "c040",
        "b327",
        "bb1d",
        "a202",
        "8d00",
        "80aabb",
        "8183",
    ]


def test_power_sets_the_amplifier_within_its_range():
    rows = (
        (True, 2, "8980cd848b2b"), (True, 14, "898ccd848b2b"), (True, 17, "898fcd848b2b"),
        (True, 18, "898dcd878b31"), (True, 20, "898fcd878b31"), (True, 30, "898fcd878b31"),
        (True, -4, "8980cd848b2b"), (False, 14, "897ecd848b2b"), (False, 20, "897ecd848b2b"),
        (False, 0, "8970cd848b2b"), (False, -3, "8970cd848b2b"),
    )  # fmt: skip
    for boost, dbm, said in rows:
        radio, bus, _dios = _chip({"pa_boost": boost})
        radio.transmit(Request(power_dbm=dbm))
        power = "".join([line for line in bus.pop_said() if line[:2] in ("89", "cd", "8b")])
        assert power == said, (boost, dbm, power)


def test_prepare_and_listen_open_a_window():
    radio, bus, _dios = _chip()
    radio.prepare(Request(869_525_000, 12, symbols=300))
    assert bus.pop_said() == [
        "8181",
        "92ff",
        "9107",
        "86d9619a",
        "9d72c12c",  # SF12, no CRC of its own; 300 symbols
        "a60c",  # low data rate optimisation, AGC
        "b603",
        "b143",
        "af4000",
        "c000",
        "b367",
        "bb19",
        "8d00",
    ]
    radio.listen()
    assert bus.pop_said() == ["8186"]


def test_500_khz_has_an_erratum_of_its_own():
    radio, bus, _dios = _chip()
    radio.prepare(Request(sf=8, bw_hz=500_000))
    said = bus.pop_said()
    assert "9d928008" in said
    assert "b602" in said and "ba64" in said and "b1c3" in said and "af4000" not in said


def test_a_window_has_at_most_1023_symbols():
    radio, bus, _dios = _chip()
    radio.prepare(Request(symbols=5000))
    assert "9d7273ff" in bus.pop_said()


def test_outcome_reads_and_clears_the_interrupt_flags():
    for flags, name in (
        (b"\x08", "SENT"), (b"\x80", "TIMED_OUT"), (b"\x70", "GARBLED"), (b"\x10", "NOTHING"),
        (b"\x00", "NOTHING"),
    ):  # fmt: skip
        radio, bus, _dios = _chip(answers={b"\x12": flags})
        assert radio.outcome() == getattr(radio, name), name
        assert bus.pop_said() == (["12"] if name == "NOTHING" else ["12", "92%02x" % flags[0]])


def test_has_header_is_true_before_the_end_of_the_frame():
    for flags, seen in ((b"\x10", True), (b"\x00", False)):
        radio, _bus, _dios = _chip(answers={b"\x12": flags})
        assert radio.has_header() is seen and radio.outcome() == radio.NOTHING


def test_a_received_frame_has_its_strength():
    for snr, packet, rssi, decibel in ((b"\xec", 50, -112, -5), (b"\x28", 61, -96, 10)):
        answers = {
            b"\x12": b"\x50", b"\x13": b"\3", b"\x10": b"\x20", b"\0": b"abc",
            b"\x19": snr + bytes((packet,)),
        }  # fmt: skip
        radio, bus, _dios = _chip(answers=answers)
        assert radio.outcome() == radio.RECEIVED
        assert bytes(radio.data()) == b"abc"
        assert (radio.rssi, radio.snr) == (rssi, decibel)
        assert bus.pop_said() == ["12", "9250", "13", "10", "8d20", "00", "19"]


def test_both_lines_report_and_dio1_may_be_missing():
    radio, _bus, dios = _chip()
    for dio in dios:
        radio.listen()
        assert radio.irq_us is None
        dio.handler(dio)
        assert radio.irq_us is not None
    radio.transmit(Request())
    assert radio.irq_us is None, "the end of the frame is still to come"
    _chip(dio1=False)


def test_the_antenna_switch_follows_the_operation():
    positions = []
    radio, _bus, _dios = _chip({"switch": positions.append})
    radio.start()
    radio.transmit(Request())
    radio.prepare(Request())
    radio.standby()
    assert positions == [0, 2, 1, 0]


def test_a_silent_or_foreign_chip_is_an_oserror():
    for version in (b"\x00", b"\xff", b"\x22"):
        radio, _bus, _dios = _chip(answers={b"\x42": version})
        assert "no SX127x answers" in failure(radio.start)


def test_a_chip_without_calibration_or_lora_mode_is_an_oserror():
    radio, _bus, _dios = _chip(answers={b"\x3b": b"\x22"})
    assert failure(radio.start) == "radio: the calibration does not end"
    radio, _bus, _dios = _chip(answers={b"\x01": b"\x01"})
    assert "no LoRa mode" in failure(radio.start)


def test_unknown_options_are_refused():
    assert "tcxo_mv" in failure(_chip, {"tcxo_mv": 1800})
