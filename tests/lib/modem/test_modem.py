"""AT modems: settings, join, uplinks and downlinks against scripts of three dialects."""

import asyncio

from modem.provision import DIALECTS
from modem_scripts import KEY, SETTINGS, Seen

UPLINK = {"rui3": b"AT+SEND=2:0102", "e5": b'AT+MSGHEX="0102"', "rn2483": b"mac tx uncnf 2 0102"}
JOIN = {"rui3": b"AT+JOIN=", "e5": b"AT+JOIN", "rn2483": b"mac join otaa"}


def _live(seen, work):
    """Run the device until `work` (a coroutine function) is done."""

    async def both():
        task = asyncio.create_task(seen.device.run())
        try:
            await asyncio.wait_for(work(), 20)
        finally:
            task.cancel()

    asyncio.run(both())


async def _joined(seen):
    while not seen.device.state()["joined"]:
        await asyncio.sleep_ms(20)


def _after_join(seen, work):
    async def go():
        await _joined(seen)
        await work()

    _live(seen, go)


def test_each_modem_joins_sends_and_hands_out_a_downlink():
    for name in DIALECTS:
        seen = Seen(name)

        async def work(seen=seen):
            assert await seen.device.send(2, b"\x01\x02")

        _after_join(seen, work)
        state = seen.device.state()
        assert seen.uart.said(UPLINK[name]) == [UPLINK[name] + b"\r\n"], name
        assert seen.downs == [(2, b"\x0a\x0b")], name
        assert (state["dr"], state["rssi"], state["snr"]) == (3, -80, -7), (name, state)
        assert seen.device.max_payload() == 115
        assert state["f_cnt_up"] == (1 if name == "rui3" else 867)


def test_confirmed_uplinks_say_whether_they_were_acknowledged():
    acked = {"rui3": b"\r\nOK\r\n+EVT:SEND_CONFIRMED_OK\r\n"}
    missed = {
        "rui3": (b"AT+SEND=", b"\r\nOK\r\n+EVT:SEND_CONFIRMED_FAILED(4)\r\n"),
        "e5": (b"AT+CMSGHEX", b"+CMSGHEX: Start\r\n+CMSGHEX: Wait ACK\r\n+CMSGHEX: Done\r\n"),
        "rn2483": (b"mac tx cnf", b"ok\r\nmac_err\r\n"),
    }
    for name in DIALECTS:
        seen = Seen(name)
        if name in acked:
            seen.uart.script[b"AT+SEND="] = acked[name]

        async def work(seen=seen, name=name):
            assert await seen.device.send(2, b"\x01", True)
            seen.uart.script[missed[name][0]] = missed[name][1]
            assert not await seen.device.send(2, b"\x01", True)

        _after_join(seen, work)
        assert seen.device.state()["errors"]["not_acked"] == 1, name


def test_rui3_is_told_before_each_uplink_whether_to_ask_for_an_acknowledgement():
    seen = Seen("rui3")
    sent, acked = b"\r\nOK\r\n+EVT:TX_DONE\r\n", b"\r\nOK\r\n+EVT:SEND_CONFIRMED_OK\r\n"
    seen.uart.script[b"AT+SEND="] = [sent, acked, sent]

    async def work():
        for confirmed in (False, True, False):
            assert await seen.device.send(2, b"\x01", confirmed)

    _after_join(seen, work)
    said = [line for line in seen.uart.written if line[:7] in (b"AT+CFM=", b"AT+SEND")]
    assert [line.strip() for line in said] == [
        b"AT+CFM=0", b"AT+SEND=2:01", b"AT+CFM=1", b"AT+SEND=2:01", b"AT+CFM=0", b"AT+SEND=2:01"
    ]  # fmt: skip


def test_network_time_comes_where_the_dialect_has_it():
    for name, times in (("rui3", 1), ("e5", 1), ("rn2483", 0)):
        seen = Seen(name)
        done = b"\r\nOK\r\n+EVT:TX_DONE\r\n+EVT:TIMEREQ_OK\r\n"
        if name == "rui3":
            seen.uart.script[b"AT+SEND="] = done

        async def work(seen=seen):
            assert await seen.device.send(2, b"\x01")
            assert await seen.device.send(2, b"\x01")  # asks once

        _after_join(seen, work)
        assert seen.times == [1786979335] * times, (name, seen.times)


def test_a_session_that_the_modem_has_kept_is_not_joined_again():
    for name, query, answer in (
        ("rui3", b"AT+NJS=?", b"AT+NJS=1\r\n\r\nOK\r\n"),
        ("rn2483", b"mac get status", b"00000010\r\n"),
    ):
        seen = Seen(name)
        seen.uart.script[query] = answer

        async def work(seen=seen):
            assert await seen.device.send(2, b"\x01\x02")

        _after_join(seen, work)
        assert not seen.uart.said(JOIN[name]) and not seen.uart.said(b"AT+APPKEY"), name


def test_a_session_of_another_device_in_the_modem_is_replaced():
    seen = Seen("rui3")
    seen.uart.script[b"AT+DEVEUI=?"] = b"AT+DEVEUI=0000000000000001\r\n\r\nOK\r\n"
    seen.uart.script[b"AT+NJS=?"] = b"AT+NJS=1\r\n\r\nOK\r\n"

    async def work():
        pass

    _after_join(seen, work)
    assert seen.uart.said(b"AT+APPKEY=") == [b"AT+APPKEY=" + KEY.encode() + b"\r\n"]
    assert len(seen.uart.said(JOIN["rui3"])) == 1


def test_a_restart_between_uplinks_is_noticed_and_joined_again():
    banners = {
        "rui3": b"Current Work Mode: LoRaWAN.\r\n",
        "rn2483": b"RN2483 1.0.5 Oct 31 2018\r\n",
        "e5": b"+RESET: OK\r\n",
    }
    for name, banner in banners.items():
        seen = Seen(name)

        async def work(seen=seen, banner=banner):
            seen.uart.inject(banner)
            while seen.device.state()["joined"]:
                await asyncio.sleep_ms(20)
            await _joined(seen)
            assert await seen.device.send(2, b"\x01\x02")

        _after_join(seen, work)
        assert len(seen.uart.said(JOIN[name])) == 2, name
        assert seen.device.state()["errors"]["restarts"] == 1


def test_a_lost_session_is_joined_anew():
    refusals = {
        "rui3": (b"AT+SEND=", b"\r\nAT_NO_NETWORK_JOINED\r\n"),
        "e5": (b"AT+MSGHEX", b"+MSGHEX: Please join network first\r\n"),
        "rn2483": (b"mac tx uncnf", b"fram_counter_err_rejoin_needed\r\n"),
    }
    for name in DIALECTS:
        seen = Seen(name)

        async def work(seen=seen, name=name):
            command, refusal = refusals[name]
            good = seen.uart.script[command]
            seen.uart.script[command] = refusal
            assert not await seen.device.send(2, b"\x01")
            assert seen.device.max_payload() == 0
            seen.uart.script[command] = good
            await _joined(seen)
            assert await seen.device.send(2, b"\x01")

        _after_join(seen, work)
        assert len(seen.uart.said(JOIN[name])) == 2, name
        assert name != "e5" or seen.uart.said(b"AT+JOIN=FORCE")


def test_a_send_waits_for_airtime_up_to_two_minutes():
    waits = {
        "rui3": (b"AT+SEND=", b"Restricted_Wait_%d_ms\r\n\r\nAT_BUSY_ERROR\r\n"),
        "e5": (b"AT+MSGHEX", b"+MSGHEX: No band in %dms\r\n+MSGHEX: Done\r\n"),
    }
    for name, (command, refusal) in waits.items():
        seen = Seen(name)

        async def work(seen=seen, command=command, refusal=refusal):
            good = seen.uart.script[command]
            seen.uart.script[command] = [refusal % 50, good]
            assert await seen.device.send(2, b"\x01")
            seen.uart.script[command] = refusal % 3_343_902
            assert not await seen.device.send(2, b"\x01")

        _after_join(seen, work)
        assert seen.device.state()["errors"]["busy"] == 2, name


def test_an_impossible_port_or_payload_is_a_value_error():
    seen = Seen("e5")

    async def work():
        for port, payload in ((0, b"1"), (224, b"1"), (1, b""), (1, bytes(116))):
            try:
                await seen.device.send(port, payload)
                raise AssertionError((port, len(payload)))
            except ValueError as error:
                assert "out of 1.." in error.args[0]
        seen.uart.script[b"AT+MSGHEX"] = b"+MSGHEX: Length error 51\r\n"
        seen.uart.script[b"AT+LW=LEN"] = b"+LW: LEN, 51\r\n"  # the data rate has dropped
        try:
            await seen.device.send(1, bytes(100))
            raise AssertionError("too long")
        except ValueError as error:
            assert "1..51" in error.args[0]
        assert seen.device.max_payload() == 51

    _after_join(seen, work)


def test_wrong_settings_name_the_key_and_the_range_and_no_secret():
    for key, value, text in (
        ("lora_dev_eui", "70b3", "8 bytes"),
        ("lora_join_eui", bytes(9), "8 bytes"),
        ("lora_app_key", KEY[:-1] + "G", "16 bytes"),
        ("lora_app_key", KEY + "00", "16 bytes"),
        ("lora_region", "US915", "EU868"),
        ("lora_data_rate", 6, "0..5"),
        ("lora_adr", 2, "0..1"),
    ):
        try:
            Seen("rui3", **{key: value})
            raise AssertionError(key)
        except ValueError as error:
            message = error.args[0]
        assert message.startswith(key) and text in message and "0011" not in message
    try:
        Seen("e5").device.__class__(None, "sim800", SETTINGS, None, None)
        raise AssertionError("dialect")
    except ValueError as error:
        assert "rui3, e5, rn2483" in error.args[0]


def test_keys_are_in_no_log_and_no_state_even_when_the_modem_refuses_them():
    for name, command in (
        ("rui3", b"AT+APPKEY"),
        ("e5", b"AT+KEY"),
        ("rn2483", b"mac set appkey"),
    ):
        seen = Seen(name)
        seen.uart.script[command] = {
            "rui3": b"AT_PARAM_ERROR\r\n",
            "e5": b"+KEY: ERROR(-1) " + KEY.encode() + b"\r\n",
            "rn2483": b"invalid_param\r\n",
        }[name]

        async def work(seen=seen, command=command):
            while not seen.log.lines:
                await asyncio.sleep_ms(20)

        _live(seen, work)
        told = str(seen.log.lines) + str(seen.device.state())
        assert "app_key" in told and KEY not in told and KEY[:8] not in told, name
