"""Scripted modems. The answers to commands are taken from the manuals' examples."""

from board_parts import FakeLog, FakeUart
from modem.end_device import EndDevice

KEY = "00112233445566778899AABBCCDDEEFF"
SETTINGS = {
    "lora_dev_eui": "70b3d57ed0000002",
    "lora_join_eui": bytes(range(8)),
    "lora_app_key": KEY,
    "lora_region": "EU868",
    "lora_data_rate": 5,
    "lora_adr": 1,
}

RUI3 = {
    b"AT+DEVEUI=?": b"AT+DEVEUI=70B3D57ED0000002\r\n\r\nOK\r\n",
    b"AT+NJS=?": b"AT+NJS=0\r\n\r\nOK\r\n",
    b"AT+NWM=?": b"AT+NWM=1\r\n\r\nOK\r\n",
    b"AT+JOIN=": b"\r\nOK\r\n+EVT:JOINED\r\n",
    b"AT+SEND=": b"\r\nOK\r\n+EVT:TX_DONE\r\n+EVT:RX_1:-81:7:UNICAST:2:0a0B\r\n",
    b"AT+DR=?": b"AT+DR=3\r\n\r\nOK\r\n",
    b"AT+RSSI=?": b"AT+RSSI=-80\r\n\r\nOK\r\n",
    b"AT+SNR=?": b"AT+SNR=-7\r\n\r\nOK\r\n",
    b"AT+TIMEREQ=1": b"\r\nOK\r\n",
    b"AT+LTIME=?": b"AT+LTIME=15h08m55s on 08/17/2026\r\n\r\nOK\r\n",
    b"AT": b"\r\nOK\r\n",
}
E5 = {
    b"AT+ID=DevEui,": b"+ID: DevEui, 70:B3:D5:7E:D0:00:00:02\r\n",
    b"AT+ID=DevEui": b"+ID: DevEui, 70:B3:D5:7E:D0:00:00:02\r\n",
    b"AT+ID=AppEui": b"+ID: AppEui, 00:01:02:03:04:05:06:07\r\n",
    b"AT+KEY": b"+KEY: APPKEY " + KEY.encode() + b"\r\n",
    b"AT+MODE": b"+MODE: LWOTAA\r\n",
    b"AT+DR=EU868": b"+DR: EU868\r\n",
    b"AT+DR": b"+DR: DR3\r\n+DR: EU868 DR3  SF9  BW125K \r\n",
    b"AT+CH": b"+CH: NUM, 0-2\r\n",
    b"AT+CLASS": b"+CLASS: A\r\n",
    b"AT+ADR": b"+ADR: ON\r\n",
    b"AT+RETRY": b"+RETRY: 1\r\n",
    b"AT+PORT": b"+PORT: 2\r\n",
    b"AT+LW=LEN": b"+LW: LEN, 115\r\n",
    b"AT+LW=ULDL": b"+LW: ULDL, 867, 265\r\n",
    b"AT+LW=DTR": b"+LW: DTR\r\n",
    b"AT+RTC": b"+RTC: 2026-08-17 15:08:55.250\r\n",
    b"AT+JOIN": b"+JOIN: Start\r\n+JOIN: NORMAL\r\n+JOIN: Network joined\r\n"
    b"+JOIN: NetID 000013 DevAddr 26:01:5F:66\r\n+JOIN: Done\r\n",
    b"AT+MSGHEX": b'+MSGHEX: Start\r\n+MSGHEX: FPENDING\r\n+MSGHEX: PORT: 2; RX: "0A0B"\r\n'
    b"+MSGHEX: RXWIN1, RSSI -80, SNR -7.0\r\n+MSGHEX: Done\r\n",
    b"AT+CMSGHEX": b"+CMSGHEX: Start\r\n+CMSGHEX: Wait ACK\r\n+CMSGHEX: ACK Received\r\n"
    b"+CMSGHEX: RXWIN2, RSSI -80, SNR -7\r\n+CMSGHEX: Done\r\n",
}
RN2483 = {
    b"mac get status": b"00000000\r\n",
    b"mac get deveui": b"70B3D57ED0000002\r\n",
    b"mac get dr": b"3\r\n",
    b"mac get upctr": b"867\r\n",
    b"radio get snr": b"-7\r\n",
    b"radio get rssi": b"-80\r\n",
    b"mac join": b"ok\r\naccepted\r\n",
    b"mac tx uncnf": b"ok\r\nmac_rx 2 0A0B\r\n",
    b"mac tx cnf": b"ok\r\nmac_tx_ok\r\n",
    b"mac": b"ok\r\n",
}
SCRIPTS = {"rui3": RUI3, "e5": E5, "rn2483": RN2483}


class Scripted(FakeUart):
    """Answers from a script, by the longest entry that the command begins with."""

    def __init__(self, script):
        super().__init__(self._reply)
        self.script = dict(script)
        self.mute = False

    def _reply(self, data):
        if self.mute:
            return b""
        best = b""
        for start in self.script:
            if data.startswith(start) and len(start) > len(best):
                best = start
        answer = self.script.get(best, b"")
        return answer.pop(0) if isinstance(answer, list) and len(answer) > 1 else _one(answer)

    def said(self, start):
        return [line for line in self.written if line.startswith(start)]


def _one(answer):
    return answer[0] if isinstance(answer, list) else answer


class Seen:
    """An end device on a scripted modem, and its reports to the application."""

    def __init__(self, name, **changes):
        self.uart = Scripted(SCRIPTS[name])
        self.log = FakeLog()
        self.downs = []
        self.times = []
        settings = dict(SETTINGS)
        settings.update(changes)
        self.device = EndDevice(self.uart, name, settings, lambda bits: 0, self.log)
        self.device.on_down = lambda port, payload: self.downs.append((port, payload))
        self.device.on_time = lambda utc, ms: self.times.append(utc)
