"""`network.WLAN` of the ESP32 port, station side. Its driver reconnects by itself, for ever."""

import machine
import seam
from micropython import const

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
_CONNECT = const(1)
_DISCONNECT = const(2)
_PORT = const(0x50)


def country(_code=None):
    return "DE"


def hostname(_name=None):
    return "node"


class WLAN:
    IF_STA = STA_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    _status = STAT_IDLE
    _active = False  # of the interface: there is one, however many objects
    _addressed = False

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("unknown network interface")
        self._settings = {"reconnects": -1, "pm": 1, "hostname": "node"}

    def active(self, on=None):
        if on is None:
            return WLAN._active
        if on and not seam.request(seam.WIFI, 0)[0]:
            raise OSError(0x101, "ESP_ERR_NO_MEM")
        WLAN._active = bool(on)
        if not on:
            self.disconnect()
        return WLAN._active

    def connect(self, ssid, key=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        WLAN._status = STAT_CONNECTING
        seam.request(seam.WIFI, _CONNECT, 0, (ssid + "\0" + (key or "")).encode())

    def disconnect(self):
        # The reason of a refusal shows only now: until here the driver was trying.
        WLAN._status = seam.request(seam.WIFI, _DISCONNECT)[0] or STAT_IDLE

    def status(self, what=None):
        return -61 if what == "rssi" else WLAN._status

    def _on_change(data):  # no method: the seam calls it
        WLAN._status = data[0] | data[1] << 8
        WLAN._addressed |= WLAN._status == STAT_GOT_IP

    seam.sinks[_PORT] = _on_change

    def isconnected(self):
        return self.status() == STAT_GOT_IP

    def config(self, *names, **settings):
        if names:
            if names[0] == "mac":
                return machine.mac
            return self._settings[names[0]]
        self._settings.update(settings)

    def ifconfig(self):
        if not WLAN._addressed:
            return ("0.0.0.0",) * 4
        return ("192.0.2.2", "255.255.255.0", "192.0.2.1", "192.0.2.1")
