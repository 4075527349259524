"""Modems in trouble, on virtual time: joins that fail, silence, resets, refusals."""

import asyncio

import modem.airtime
import modem.at_client
import modem.end_device
from modem_scripts import Seen
from sensor_line import Idle, VirtualTime

HOUR_S = 3600
FAILED = {
    "rui3": (b"AT+JOIN=", b"\r\nOK\r\n+EVT:JOIN_FAILED\r\n"),
    "e5": (b"AT+JOIN", b"+JOIN: Start\r\n+JOIN: NORMAL\r\n+JOIN: Join failed\r\n+JOIN: Done\r\n"),
    "rn2483": (b"mac join", b"ok\r\ndenied\r\n"),
}
RATE = {"rui3": b"AT+DR=", "e5": b"AT+DR=", "rn2483": b"mac set dr "}
RESETS = {"rui3": b"ATZ", "e5": b"AT+RESET", "rn2483": b"sys reset"}


class Virtual(Seen):
    """An end device on virtual time. `said` has the second of each command."""

    def __init__(self, name, **changes):
        self.clock = VirtualTime(modem.airtime, modem.at_client, modem.end_device)
        self.clock.Lock = asyncio.Lock
        super().__init__(name, **changes)
        self.name, self.said = name, []
        write = self.uart.write

        def noted(data):
            self.said.append((self.clock.ticks_ms() // 1000, bytes(data).strip()))
            return write(data)

        self.uart.write = noted
        self.uart.due_ms = lambda: None

    def run(self, seconds):
        """Let it run for so long."""
        self.clock.end_ms = self.clock.ticks_ms() + seconds * 1000
        try:
            asyncio.run(self.device.run())
        except Idle:
            self.clock.end_ms = None

    def seconds_of(self, start):
        return [second for second, command in self.said if command.startswith(start)]


def test_attempts_to_join_back_off_to_four_hours_and_try_each_data_rate():
    for name, (command, answer) in FAILED.items():
        seen = Virtual(name, lora_data_rate=2)
        seen.uart.script[command] = answer
        seen.run(40 * HOUR_S)
        tries = seen.seconds_of(command)
        waits = [later - sooner for sooner, later in zip(tries, tries[1:])]
        assert len(waits) >= 14, waits
        for i, wait in enumerate(waits):
            wanted = 15 << min(i, 10)
            assert wanted <= wait <= wanted + 3, (name, i, wait)
        rates = [said[-1:] for _second, said in seen.said if said.startswith(RATE[name])]
        rates = [rate for rate in rates if rate.isdigit() and rate != b"8"]
        assert rates[:7] == [b"2", b"1", b"0", b"2", b"1", b"0", b"2"], (name, rates)
        assert seen.device.state()["errors"]["join_failures"] == len(tries)
        assert not seen.device.state()["joined"] and seen.device.max_payload() == 0


def test_a_jitter_of_a_quarter_keeps_nodes_apart():
    waits = []
    for noise in (0, 255):
        seen = Virtual("rui3")
        seen.uart.script[FAILED["rui3"][0]] = FAILED["rui3"][1]
        seen.device._rng = lambda bits, noise=noise: noise if bits == 8 else None
        seen.run(600)
        tries = seen.seconds_of(b"AT+JOIN=")
        waits.append(tries[4] - tries[3])
    assert waits[0] * 1.2 < waits[1] < waits[0] * 1.3, waits


def test_a_modem_that_asks_for_a_longer_pause_gets_it():
    seen = Virtual("rui3")
    seen.uart.script[b"AT+JOIN="] = b"Restricted_Wait_500000_ms\r\nAT_BUSY_ERROR\r\n"
    seen.run(1600)
    tries = seen.seconds_of(b"AT+JOIN=")
    assert len(tries) == 4 and all(
        500 <= later - sooner <= 503 for sooner, later in zip(tries, tries[1:])
    ), tries


def test_a_modem_that_is_silent_is_reset_at_every_other_attempt_and_used_when_it_answers():
    for name, reset in RESETS.items():
        seen = Virtual(name)
        seen.uart.mute = True
        seen.run(2 * HOUR_S)
        resets = seen.seconds_of(reset)
        assert resets[1] - resets[0] < 300 < resets[-1] - resets[-2] < 1100, (name, resets)
        errors = seen.device.state()["errors"]
        assert errors["resets"] == len(resets) and errors["timeouts"] > 3 * len(resets)
        try:
            asyncio.run(seen.device.send(2, b"\x01"))
            raise AssertionError("sent")
        except OSError as error:
            assert "does not answer" in str(error)
        seen.uart.mute = False
        seen.run(600)
        assert seen.device.state()["joined"], name


def test_the_reset_line_is_pulled_where_the_board_has_one():
    pulled = []
    seen = Virtual("rui3")
    seen.device._pull_reset = lambda: pulled.append(1)
    seen.uart.mute = True
    seen.run(100)
    assert pulled and seen.seconds_of(b"ATZ") == []


def test_a_modem_that_falls_silent_while_it_sends_is_set_up_again():
    seen = Virtual("rui3")
    seen.run(10)
    assert seen.device.state()["joined"]
    seen.uart.mute = True
    seen.clock.end_ms = None
    for number in range(1, 4):
        assert not asyncio.run(seen.device.send(2, b"\x01"))
        assert seen.device.state()["joined"] == (number < 3), "three silences in a row"
    seen.uart.mute = False
    seen.said.clear()
    seen.run(600)
    assert seen.device.state()["joined"] and seen.seconds_of(b"AT+APPKEY=")


def test_a_refused_setting_is_logged_by_name_and_tried_again():
    seen = Virtual("rui3")
    seen.uart.script[b"AT+BAND=4"] = b"AT_PARAM_ERROR\r\n"
    seen.run(40)
    assert ("warn", "lora: the modem refuses its region") in seen.log.lines
    assert seen.device.state()["errors"]["refused"] >= 2 and seen.seconds_of(b"AT+JOIN") == []
    del seen.uart.script[b"AT+BAND=4"]
    seen.run(200)
    assert seen.device.state()["joined"]


def test_a_modem_in_the_wrong_mode_is_set_and_asked_again_after_its_restart():
    seen = Virtual("rui3")
    seen.uart.script[b"AT+NWM=?"] = b"AT+NWM=0\r\n\r\nOK\r\n"
    seen.uart.script[b"AT+NWM=1"] = b"Current Work Mode: LoRaWAN.\r\n"
    seen.run(5)
    assert len(seen.seconds_of(b"AT+NWM=1")) == 1 and seen.seconds_of(b"AT+NJM") == []
    seen.uart.script[b"AT+NWM=?"] = b"AT+NWM=1\r\n\r\nOK\r\n"
    seen.run(60)
    assert seen.device.state()["joined"] and len(seen.seconds_of(b"AT+NWM=1")) == 1


def test_facts_that_a_modem_prints_without_a_frame_are_no_facts():
    for query, answer, key in (
        (b"AT+RSSI=?", b"AT+RSSI=0\r\n\r\nOK\r\n", "rssi"),
        (b"AT+RSSI=?", b"AT+RSSI=-128\r\n\r\nOK\r\n", "rssi"),
        (b"AT+SNR=?", b"AT+SNR=-128\r\n\r\nOK\r\n", "snr"),
        (b"AT+DR=?", b"AT+DR=7\r\n\r\nOK\r\n", "dr"),
        (b"AT+DR=?", b"AT+DR=x\r\n\r\nOK\r\n", "dr"),
    ):
        seen = Virtual("rui3")
        seen.uart.script[query] = answer
        seen.run(10)
        state = seen.device.state()
        assert state["joined"] and state[key] is None, answer
    for answer, room in ((b"0", 51), (b"243", 51), (b"242", 242), (b"1", 1)):
        seen = Virtual("e5")
        seen.uart.script[b"AT+DR"] = b"+DR: DR0\r\n+DR: EU868 DR0  SF12 BW125K\r\n"
        seen.uart.script[b"AT+LW=LEN"] = b"+LW: LEN, " + answer + b"\r\n"
        seen.run(20)
        assert seen.device.max_payload() == room, answer
