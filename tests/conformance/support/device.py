"""The MAC of `lib/lorawan` in MicroPython, driven by lines of JSON from `rig.py`.

A request is [operation, arguments...]. The answer is {"wake", "result", "events", "error"?}: the
time of the next call, the result or the request to the radio, and the events. The store survives
`boot`, RTC memory does on request. Arguments of the script: the region, and the bytes of payload
that the application counts on. `cut` makes the power fail at the n-th write of the store.
"""

import gc
import json
import sys
from binascii import hexlify, unhexlify

from lorawan.regions import eu868
from lorawan.regions import us915
from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK
from lorawan.regions.as923 import Group
from lorawan.frames import Identity
from lorawan.mac import Mac, NotReady
from lorawan.radio import TX, Radio
from lorawan.regions.region import Region

TABLES = {"EU868": lambda: eu868, "US915": lambda: us915, "AS923": lambda: Group("AS923")}
REGION = Region(TABLES[sys.argv[1]](), int(sys.argv[2]))
WANTED = {"link_check": LINK_CHECK, "time": DEVICE_TIME}


class PowerCut(BaseException):
    """The power failed while the store was written."""


class Store:
    def __init__(self):
        self.items = {}
        self.until = 0  # writes until the power fails, 0 = it does not
        self.done = False  # whether that last write takes place
        self.writes = 0

    def read(self, name):
        return self.items.get(name)

    def write(self, name, data):
        self.writes += 1
        self.until -= 1
        if self.until == 0 and not self.done:
            raise PowerCut
        self.items[name] = bytes(data)
        if self.until == 0:
            raise PowerCut


class Random:
    """A random generator (xorshift) with the same numbers on every platform."""

    def __init__(self, seed):
        self.state = seed * 2654435761 + 88172645463325252

    def __call__(self, bits):
        x = self.state & 0xFFFFFFFFFFFFFFFF
        x ^= x << 13 & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 7
        x ^= x << 17 & 0xFFFFFFFFFFFFFFFF
        self.state = x
        return x >> (64 - bits)


class Device:
    """One life after the other of the same board."""

    def __init__(self):
        self.store = Store()
        self.rtc = None
        self.mac = None
        self.peak = 0

    def boot(self, now, seed, error_us, drift_ppm, warm):
        """Start. warm: with the contents of RTC memory. Returns whether there is a session."""
        self.mac = Mac(REGION, self.store, Random(seed), now, Radio(error_us, drift_ppm))
        return self.mac.restore(now, self.rtc if warm else None)

    def join(self, now, dev_eui, join_eui, app_key, within_us):
        who = Identity(unhexlify(dev_eui), unhexlify(join_eui), unhexlify(app_key))
        self.mac.join(who, now, within_us)

    def personalise(self, addr, nwk_key, app_key):
        self.mac.personalise(addr, unhexlify(nwk_key), unhexlify(app_key))

    def send(self, now, port, payload, confirmed):
        self.mac.send(port, unhexlify(payload), now, confirmed)

    def queue_request(self, what):
        self.mac.queue_request(WANTED[what])

    def set_adr(self, on, rate):
        self.mac.set_adr(on, rate)

    def set_battery(self, level):
        self.mac.battery = level

    def certify(self, on):
        self.mac.certification = on

    def poll(self, now):
        request = self.mac.poll(now)
        if request is None:
            return None
        head = [request.freq_hz, request.sf, request.bw_hz]
        if request.kind == TX:
            self.rtc = self.mac.snapshot()
            return ["tx"] + head + [request.power_dbm, hexlify(request.data).decode()]
        return ["rx"] + head + [request.open_us, request.symbols]

    def tx_done(self, end_us):
        self.mac.tx_done(end_us)

    def rx_timeout(self, now):
        self.mac.rx_timeout(now)

    def rx_done(self, now, data, rssi, snr):
        self.mac.rx_done(now, unhexlify(data), rssi, snr)

    def cut(self, until, done):
        self.store.until, self.store.done = until, done

    def facts(self):
        """Facts for the checks. None of them changes the MAC."""
        session = self.mac.session
        gc.collect()
        return {
            "health": self.mac.health(),
            "wants_uplink": self.mac.wants_uplink(),
            "max_payload": self.mac.max_payload(),
            "fcnt_up": session.fcnt_up if session else None,
            "writes": self.store.writes,
            "heap": gc.mem_alloc(),
        }

    def call(self, name, *arguments):
        return getattr(self, name)(*arguments)


def plain(event):
    return [hexlify(part).decode() if isinstance(part, bytes) else part for part in event]


def answer(device, request):
    reply = {}
    try:
        reply["result"] = device.call(*request)
    except NotReady as error:
        reply["error"] = "not ready: " + error.args[0]
    except ValueError as error:
        reply["error"] = str(error.args[0])
    except PowerCut:
        reply["cut"] = True
        return reply
    mac = device.mac
    reply["wake"] = mac.wake_us
    reply["events"] = events = []
    event = mac.event()
    while event:
        events.append(plain(event))
        event = mac.event()
    return reply


def main():
    device = Device()
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        sys.stdout.write(json.dumps(answer(device, json.loads(line))))
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
