"""Parts of a board besides its detector: storage (flash, NVS, RTC memory) and the Wi-Fi
station.
"""

from __future__ import annotations

import errno
import struct
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from simulator.world.chip import idf_heap
from simulator.world.chip.flash import Flash
from simulator.world.chip.nvs import NvsPartition
from simulator.world.chip.nvs_page import NvsError
from simulator.world.protocol import PORT_CLOSED, PORT_CONNECTED, PORT_DATA, PORT_WIFI, Op, Request
from simulator.world.spec import StorageFaults

if TYPE_CHECKING:
    from simulator.world.kernel import Node

NVS_OFFSET, NVS_SIZE = 0x9000, 0x6000
ESP_ERR_NVS_NOT_FOUND = -0x1102
ESP_ERR_NVS_NOT_ENOUGH_SPACE = -0x1105
WIFI_JOIN_US = 2_400_000
GOT_IP, CONNECTING = 1010, 1001
DEFAULT_RTT_US = 40_000
SEGMENT = 1460
EAI_MEMORY = -203  # of lwIP's getaddrinfo
RETRY_US, RETRIES_MAX = 1_000_000, 8  # TCP sends again what the node had no memory for
_NVS_WRITES = (1, 3, 4)  # of `nvs_call`
Answer = tuple[int, bytes | None]


class Storage:
    """Flash, NVS and RTC. `drift_ppb` is the error of the crystal behind the real-time clock."""

    def __init__(self, flash: Flash, drift_ppb: int, faults: StorageFaults) -> None:
        self._flash = flash
        self._faults = faults
        self._memory = b""
        self._drift_ppb = drift_ppb
        self._rtc: tuple[int, int] | None = None

    def power_lost(self) -> None:
        self._memory = b""
        self._rtc = None

    def step_rtc(self, seconds: int) -> None:
        """Move the real-time clock. The node sees it after its next start."""
        if self._rtc:
            self._rtc = (self._rtc[0] + seconds * 1_000_000, self._rtc[1])

    def tear(self, request: Request, observe: Callable[[str, bytes], None]) -> None:
        """Let the power fail in the middle of this request, and report the bytes that are left."""
        if request.op is Op.PROGRAM:
            self._flash.tear_program(request.b, request.data)
            left = self._flash.read(request.b, len(request.data))
            observe("flash:torn", struct.pack("<I", request.b) + left)
        elif request.op is Op.ERASE:
            self._flash.tear_erase(request.b)

    def serve(self, request: Request, observe: Callable[[str, bytes], None]) -> Answer:
        op = request.op
        if op in (Op.PROGRAM, Op.ERASE) and self._faults.is_protected(request.b, request.now_us):
            return 0, None
        if op is Op.PROGRAM:
            observe("flash:program", struct.pack("<I", request.b) + request.data)
            return self._flash.program(request.b, request.data), None
        if op is Op.ERASE:
            observe("flash:erase", struct.pack("<I", request.b))
            return self._flash.erase(request.b), None
        if op is Op.NVS:
            return self._nvs(request)
        if op is Op.RTC_WRITE:
            self._rtc_write(request, observe)
            return 0, None
        return 0, self._rtc_read(request)

    def _rtc_write(self, request: Request, observe: Callable[[str, bytes], None]) -> None:
        if request.a == 0:
            self._memory = request.data
            observe("rtc", request.data)
        else:
            seconds_us, at_us = struct.unpack("<qq", request.data)
            self._rtc = (seconds_us, at_us)

    def _rtc_read(self, request: Request) -> bytes:
        if request.a == 0:
            return self._memory
        if self._rtc is None:
            self._rtc = (0, request.now_us)
        return struct.pack("<qqq", *self._rtc, self._drift_ppb)

    def _nvs(self, request: Request) -> Answer:
        partition = NvsPartition(
            lambda offset, length: self._flash.read(NVS_OFFSET + offset, length),
            lambda offset, data: self._flash.program(NVS_OFFSET + offset, data),
            lambda offset: self._flash.erase(NVS_OFFSET + offset),
        )
        if request.a in _NVS_WRITES and self._faults.nvs_is_full(request.now_us):
            return ESP_ERR_NVS_NOT_ENOUGH_SPACE, b""
        namespace, key, data = request.data.split(b"\0", 2)
        try:
            return 0, nvs_call(partition, request, (namespace.decode(), key.decode()), data)
        except KeyError:
            return ESP_ERR_NVS_NOT_FOUND, b""
        except NvsError:
            return ESP_ERR_NVS_NOT_ENOUGH_SPACE, b""


def nvs_call(
    partition: NvsPartition, request: Request, name: tuple[str, str], data: bytes
) -> bytes:
    """One NVS call of the node. `simulator/device/esp32.py` has its number."""
    number = request.b - (1 << 32) if request.b >= 1 << 31 else request.b
    if request.a == 0:
        return struct.pack("<i", partition.get_i32(*name))
    if request.a == 1:
        partition.set_i32(*name, number)
    elif request.a == 2:
        return partition.get_blob(*name)
    elif request.a == 3:
        partition.set_blob(*name, data)
    elif request.a == 4:
        partition.erase_key(*name)
    return b""


class WifiStation:
    """Wi-Fi station and sockets of one node. Carries bytes between the node and the network."""

    def __init__(self, node: Node, network: Any) -> None:
        self._node = node
        self._network = network
        self._connections: dict[int, Any] = {}
        self._boot_number = 0  # events of an earlier boot must not reach this one
        self._joining = False
        self._refusal = 0  # the access point's answer to a join, 0 = accepted
        self._refused = 0  # the answer that the node has not asked for yet
        self._attempt = 0  # to join the access point: a later one replaces an earlier one
        network.wifi_changed = self._wifi_changed

    def drop_all(self) -> None:
        """The node went down. The other side finds out by its own time-outs."""
        self._boot_number += 1
        self._joining = False
        self._refused = 0
        self._attempt += 1
        for _, token in self._connections.values():
            token.clear()
        self._connections.clear()

    def serve(self, request: Request) -> Answer:
        handler = {
            Op.WIFI: self._wifi,
            Op.RESOLVE: self._resolve,
            Op.OPEN: self._open,
            Op.SEND: self._send,
            Op.CLOSE: self._close,
            Op.UDP: self._udp,
        }[request.op]
        return handler(request)

    def _wifi(self, request: Request) -> Answer:
        """Join and stay joined (1), or leave (2). The node hears at PORT_WIFI that it has joined.
        The answer to 2 is the reason of a refused join, a number of ESP-IDF, or 0."""
        if request.a == 0:
            return int(self._node.memory.heap.start_wifi()), None
        self._joining = request.a == 1
        self._attempt += 1
        refused, self._refused = self._refused, 0
        if self._joining:
            ssid, _, key = request.data.decode(errors="replace").partition("\0")
            self._refusal = self._network.join_refusal(ssid, key)
            self._join()
            return 0, None
        return refused, None

    def _join(self) -> None:
        node, attempt = self._node, self._attempt

        def joined() -> None:
            if attempt != self._attempt or not self._network.wifi_up(node.spec.name, node.now_us):
                return
            self._refused = self._refusal
            if not self._refusal and node.memory.heap.join_wifi():
                node.deliver(PORT_WIFI, GOT_IP.to_bytes(2, "little"))

        node.call_at(node.now_us + WIFI_JOIN_US, joined)

    def _wifi_changed(self) -> None:
        """The access point went or came. The driver notices and joins again by itself."""
        if not self._joining:
            return
        self._attempt += 1
        if self._network.wifi_up(self._node.spec.name, self._node.now_us):
            self._join()
        else:
            self._node.deliver(PORT_WIFI, CONNECTING.to_bytes(2, "little"))

    def _resolve(self, request: Request) -> Answer:
        node, host = self._node, request.data.decode(errors="replace")
        if node.memory.heap.largest < idf_heap.LOOKUP_BYTES:
            node.observe("net:resolve", f"{host} no memory")
            return EAI_MEMORY, b""
        address, delay_us = self._network.resolve(node.spec.name, host, node.now_us)
        node.observe("net:resolve", f"{host} {address or 'nothing'}")
        return delay_us, address.encode()

    def _this_boot_only(self, function: Callable[..., None]) -> Callable[..., None]:
        """`function`, ignored once the node has booted again."""
        boot_number = self._boot_number

        def guarded(*args: Any) -> None:
            if boot_number == self._boot_number:
                function(*args)

        return guarded

    def _at(self, t_us: int, function: Callable[[], None]) -> None:
        self._node.call_at(t_us, self._this_boot_only(function))

    def _open(self, request: Request) -> Answer:
        slot, node = request.a, self._node
        host = request.data.decode(errors="replace")
        token: list[int] = [slot]
        if not node.memory.heap.take(("socket", slot), idf_heap.SOCKET_BYTES):
            node.observe("net:open", "ENOMEM")
            return errno.ENOMEM, None

        def out(t_us: int, data: bytes) -> None:
            self._at(t_us, lambda: self._arrive(token, data))

        def closed(t_us: int, code: int = 0) -> None:
            self._at(t_us, lambda: self._shut(token, code))

        try:
            connection = self._network.open(
                node.spec.name, host, request.b, node.now_us, out, closed
            )
        except OSError as error:
            code = error.errno or errno.ECONNREFUSED
            node.observe("net:open", errno.errorcode[code])
            if code != errno.ETIMEDOUT:
                self._at(
                    node.now_us + DEFAULT_RTT_US,
                    lambda: node.deliver(PORT_CONNECTED | slot, bytes([code])),
                )
            return 0, None
        node.observe("net:open", "ok")
        self._connections[slot] = (connection, token)
        rtt_us = getattr(connection, "rtt_us", DEFAULT_RTT_US)
        self._at(node.now_us + rtt_us, lambda: node.deliver(PORT_CONNECTED | slot, b"\0"))
        return 0, None

    def _arrive(self, token: list[int], data: bytes, tries: int = 0) -> None:
        if not token:
            return
        if not self._node.memory.heap.send_packet(self._node.now_us, min(len(data), SEGMENT)):
            if tries < RETRIES_MAX:
                again_us = self._node.now_us + RETRY_US
                self._at(again_us, lambda: self._arrive(token, data, tries + 1))
            return
        self._node.observe("net:rx", data)
        for start in range(0, len(data), SEGMENT):
            self._node.deliver(PORT_DATA | token[0], data[start : start + SEGMENT])

    def _shut(self, token: list[int], code: int) -> None:
        if token:
            self._node.observe("net:close", "by the other side")
            self._node.deliver(PORT_CLOSED | token[0], bytes([code]))
            self._connections.pop(token[0], None)
            token.clear()

    def _send(self, request: Request) -> Answer:
        entry = self._connections.get(request.a)
        if entry is None:
            return -errno.ECONNRESET, None
        if not self._node.memory.heap.send_packet(self._node.now_us, len(request.data)):
            return -errno.EAGAIN, None
        self._node.observe("net:tx", request.data)
        entry[0].send(self._node.now_us, request.data)
        return len(request.data), None

    def _close(self, request: Request) -> Answer:
        entry = self._connections.pop(request.a, None)
        self._node.memory.heap.give_back(("socket", request.a))
        if entry:
            self._node.observe("net:close", "by the node")
            entry[1].clear()
            entry[0].close(self._node.now_us)
        return 0, None

    def _udp(self, request: Request) -> Answer:
        host, data = request.data.split(b"\0", 1)
        slot, node = request.a, self._node
        if not node.memory.heap.send_packet(node.now_us, len(data)):
            return -errno.ENOMEM, None
        replies = self._network.udp(node.spec.name, host.decode(), request.b, data, node.now_us)
        for t_us, answer in replies:
            self._at(t_us, partial(node.deliver, PORT_DATA | slot, answer))
        return 0, None
