"""Parts of a modem's driver: numbers, hexadecimal, dates, airtime, the commands that set it up."""

import asyncio
import time

from modem import airtime, codes, e5, rn2483, rui3
from modem.codes import number, octets, unix
from modem.provision import DIALECTS
from modem_scripts import KEY, Seen

EUI, JOIN_EUI = b"70B3D57ED0000002", b"0001020304050607"
SETUP = {  # of a modem that is to use ADR, up to the first Join-Request
    "rui3": (
        b"AT+NJM=1", b"AT+CLASS=A", b"AT+BAND=4", b"AT+DEVEUI=" + EUI, b"AT+APPEUI=" + JOIN_EUI,
        b"AT+APPKEY=" + KEY.encode(), b"AT+ADR=1", b"AT+RETY=1", b"AT+DR=5", b"AT+JOIN=1:0:10:0",
    ),
    "e5": (
        b"AT+MODE=LWOTAA", b"AT+DR=EU868", b"AT+CH=NUM,0-2", b"AT+CLASS=A",
        b'AT+ID=DevEui,"%s"' % EUI, b'AT+ID=AppEui,"%s"' % JOIN_EUI,
        b'AT+KEY=APPKEY,"%s"' % KEY.encode(), b"AT+ADR=ON", b"AT+RETRY=1", b"AT+DR=5", b"AT+JOIN",
    ),
    "rn2483": (
        b"mac reset 868", b"mac set deveui " + EUI, b"mac set appeui " + JOIN_EUI,
        b"mac set appkey " + KEY.encode(), b"mac set adr on", b"mac set retx 1", b"mac set dr 5",
        b"mac join otaa",
    ),
}  # fmt: skip


def test_only_what_a_modem_prints_is_a_number():
    for text, value in (
        (b"0", 0), (b"-128", -128), (b" 12\t", 12), (b"9999999999", 9_999_999_999),
        (b"", None), (b"-", None), (b"--1", None), (b"+1", None), (b"1.5", None), (b"0x10", None),
        (b"1_0", None), (b"12345678901", None), (b"1 2", None),
    ):  # fmt: skip
        assert number(text) == value, text


def test_hexadecimal_has_two_digits_for_each_byte():
    for text, value in (
        (b"", b""), (b"00", b"\0"), (b"0a0B", b"\x0a\x0b"), (b"FFfe90", b"\xff\xfe\x90"),
        (b"0", None), (b"0a0", None), (b"0g", None), (b"0G", None), (b"0/", None), (b"0:", None),
        (b"0@", None), (b"0`", None), (b"+1", None), (b" 1", None),
    ):  # fmt: skip
        assert octets(text) == value, text


def test_dates_become_seconds_and_impossible_ones_nothing():
    for date, clock, seconds in (
        ((2024, 1, 1), (0, 0, 0), 1_704_067_200),
        ((2024, 2, 29), (12, 34, 56), 1_709_210_096),
        ((2024, 3, 1), (0, 0, 0), 1_709_251_200),
        ((2026, 8, 17), (15, 8, 55), 1_786_979_335),
        ((2027, 12, 31), (23, 59, 59), 1_830_297_599),
        ((2099, 12, 31), (23, 59, 59), 4_102_444_799),
    ):
        assert unix(date, clock) == seconds, date
    for date, clock in (
        ((2023, 12, 31), (0, 0, 0)), ((2100, 1, 1), (0, 0, 0)), ((2026, 0, 1), (0, 0, 0)),
        ((2026, 13, 1), (0, 0, 0)), ((2026, 1, 0), (0, 0, 0)), ((2026, 1, 32), (0, 0, 0)),
        ((2026, 1, 1), (24, 0, 0)), ((2026, 1, 1), (0, 60, 0)), ((2026, 1, 1), (0, 0, 60)),
        ((2026, 1, 1), (-1, 0, 0)), ((2026, 1, 1), (0, -1, 0)), ((2026, 1, 1), (0, 0, -1)),
        ((2026, None, 1), (0, 0, 0)), ((2026, 1, 1), (0, 0, None)),
    ):  # fmt: skip
        assert unix(date, clock) is None, (date, clock)


def test_payload_modulation_and_airtime_follow_the_data_rate():
    for data_rate, sf, khz, payload, toa_us in (
        (0, 12, 125, 51, 1_810_432), (1, 11, 125, 51, 987_136), (2, 10, 125, 51, 452_608),
        (3, 9, 125, 115, 246_784), (4, 8, 125, 242, 133_632), (5, 7, 125, 242, 71_936),
        (6, 7, 250, 242, 35_968),
    ):  # fmt: skip
        assert airtime.modulation(data_rate) == (sf, khz * 1000)
        assert airtime.max_payload(data_rate) == payload
        assert airtime.airtime_us(data_rate, 20) == toa_us, data_rate


class Hours:
    """Stands for the module `time`. The test sets the hour."""

    ticks_diff, ticks_add = time.ticks_diff, time.ticks_add
    ms = 0

    @classmethod
    def ticks_ms(cls):
        return cls.ms


def test_the_airtime_of_a_day_is_forgotten_after_a_day():
    airtime.time = Hours
    Hours.ms = 0
    day = airtime.DailyAirtime()
    day.add(999_999)
    assert day.seconds() == 0
    day = airtime.DailyAirtime()
    for hour in range(24):
        Hours.ms = 3_600_000 * hour
        day.add(600_000)
        day.add(400_000)
        assert day.seconds() == hour + 1
    Hours.ms = 3_600_000 * 24 - 1
    day.advance()
    assert day.seconds() == 24
    Hours.ms = 3_600_000 * 25
    day.advance()
    assert day.seconds() == 22, "two hours have passed"
    Hours.ms = 3_600_000 * 60
    day.advance()
    assert day.seconds() == 0


def _lived(seen, ends, limit_ms=3000):
    """Run the device until ends()."""

    async def main():
        task = asyncio.create_task(seen.device.run())
        for _ in range(limit_ms // 5):
            if ends():
                break
            await asyncio.sleep_ms(5)
        else:
            raise AssertionError("it takes too long")
        task.cancel()

    asyncio.run(main())


def test_a_modem_is_set_up_in_order_before_it_joins():
    for name in DIALECTS:
        seen = Seen(name)
        _lived(seen, lambda seen=seen: seen.device.state()["joined"])
        said = [line[:-2] for line in seen.uart.written]
        first, last = said.index(SETUP[name][0]), said.index(SETUP[name][-1])
        assert tuple(said[first : last + 1]) == SETUP[name], name


def test_without_adr_the_data_rate_is_set_for_joining_and_again_for_all_frames():
    rates = {"rui3": b"AT+DR=", "e5": b"AT+DR=", "rn2483": b"mac set dr "}
    for name, start in rates.items():
        seen = Seen(name, lora_adr=0, lora_data_rate=3)
        _lived(seen, lambda seen=seen: seen.device.state()["joined"])
        said = [line.strip() for line in seen.uart.said(start) if line.strip()[-1:].isdigit()]
        assert [line for line in said if b"868" not in line] == [start + b"3"] * 2, name


def test_answers_without_a_value_are_understood_as_none():
    assert rui3.parse_downlink(b"+EVT:RX_1:-80:7:UNICAST:2:0a0") is None
    assert rui3.parse_downlink(b"+EVT:RX_1:-80:7:2:0a0b") is None
    assert rui3.parse_downlink(b"+EVT:RX_1:-80:7:UNICAST:2:0a0b") == (2, b"\x0a\x0b")
    assert rui3.parse_signal(b"+EVT:RX_1:-80") is None
    assert rui3.parse_signal(b"+EVT:RX_1:-80:7:UNICAST:2:0a0b") == (-80, 7)
    assert rui3.parse_wait_ms(b"Restricted_Wait_1500_ms") == 1500
    assert rui3.parse_wait_ms(b"Restricted_Wait_x_ms") == rui3.parse_wait_ms(b"AT_BUSY") == 0
    assert rui3.parse_time(b"AT+LTIME=15h08m55s on 08/17/2026") == (1_786_979_335, 500)
    for line in (
        b"AT+LTIME=15h08m55s at 08/17/2026",
        b"AT+LTIME=",
        b"AT+LTIME=15h08m55s on 08/17/26",
    ):
        assert rui3.parse_time(line) is None
    assert e5.parse_downlink(b'+MSGHEX: PORT: 8; RX: "3E99"') == (8, b"\x3e\x99")
    for line in (b'+MSGHEX: PORT: 8; RX: "3E9"', b"+MSGHEX: PORT: 8", b'+MSGHEX: RX: "3E99"'):
        assert e5.parse_downlink(line) is None, line
    assert e5.parse_signal(b"+MSGHEX: RXWIN1, RSSI -84, SNR -6.5") == (-84, -6)
    assert e5.parse_signal(b"+MSGHEX: RXWIN1") is None
    assert e5.parse_time(b"+RTC: 2026-08-17 15:08:55.250") == (1_786_979_335, 250)
    assert e5.parse_time(b"+RTC: 2026-08-17 15:08:55") is None
    assert e5.parse_value("dr", b"+DR: EU868 DR3  SF9  BW125K") == 3
    assert e5.parse_value("f_cnt_up", b"+LW: ULDL, 867, 265") == 867
    assert e5.parse_value("f_cnt_up", b"+LW: ULDL") is None
    assert rn2483.parse_downlink(b"mac_rx 8 3E99") == (8, b"\x3e\x99")
    assert rn2483.parse_downlink(b"mac_rx 8") is rn2483.parse_downlink(b"mac_rx x 3E99") is None
    assert rn2483.is_joined(b"00000010") and not rn2483.is_joined(b"0000000F")
    assert not rn2483.is_joined(b"0010") and not rn2483.is_joined(b"x")


def test_no_two_codes_of_answers_share_a_bit():
    seen = 0
    for name in ("OK", "VALUE", "STARTED", "JOINED", "JOIN_FAILED", "SENT", "ACKED", "NOT_ACKED",
                 "DONE", "DOWN", "SIGNAL", "BUSY", "NOT_JOINED", "TOO_LONG", "REFUSED", "PAUSED",
                 "RESTART", "WAIT", "TIME_OK", "TIME_FAILED"):  # fmt: skip
        code = getattr(codes, name)
        assert code > 0 and not seen & code, name
        seen |= code
    assert codes.NOISE == 0
