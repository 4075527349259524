"""The network between a node's antenna and the broker: Wi-Fi, DNS, TCP, NTP, and their failures.

Bytes take 10 to 45 ms each way and keep their order. While Wi-Fi is down TCP retransmits. Bytes
arrive when Wi-Fi is back within a minute. Otherwise the connection is dead without notice (half
open). A connection that lives or is opened in a span of `half_open` ends the same way: soon
nothing arrives any more in either direction, as behind a router that has forgotten it. While the
broker is away its host refuses connections. A dead name server is asked four times (after 1, 1, 2
and 3 s, lwIP's dns.c).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import errno
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from simulator.world.network import dns, hostile
from simulator.world.network.broker import Broker, Connection

UNIX_TO_NTP = 2_208_988_800
NO_AP_FOUND, WRONG_PASSWORD = 201, 15  # reasons of ESP-IDF: 15 is a 4-way handshake that timed out
BROKER_IP = "192.0.2.10"
OTHER_IP = "192.0.2.11"  # of the second time server
RETRANSMIT_MAX_US = 60_000_000
CHECK_US = 91_000_000  # a bit more than one and a half of the usual keep-alives
LOOKUP_TIMEOUT_US = 14_000_000  # a lookup is given up: 7 s for each of two name servers
HALF_OPEN_LIFE_MAX_US = 20_000_000  # of a connection opened in a span of `half_open`
Span = tuple[int, int]  # from, to: microseconds since the scenario's start


@dataclass
class NetworkFaults:
    """Faults of the network. Spans are in microseconds. ntp_offset_s is added by the time
    server.
    """

    wifi_down: list[Span] = field(default_factory=list)
    broker_away: list[Span] = field(default_factory=list)
    ntp_away: list[Span] = field(default_factory=list)
    ntp_offset_s: list[tuple[int, int]] = field(default_factory=list)  # (from us, seconds)
    dns_dead: list[Span] = field(default_factory=list)  # the name servers answer nothing
    half_open: list[Span] = field(default_factory=list)  # connections die without notice
    refused: list[Span] = field(default_factory=list)  # the broker refuses with code 3 or 5
    puback_late: list[Span] = field(default_factory=list)
    hostile_broker: list[Span] = field(default_factory=list)  # see hostile.py
    puback_late_us: Span = (2_500_000, 2_500_000)  # delay, from and to


class BrokerEnd(Protocol):
    """The broker's end of a connection."""

    last_us: int  # when the last bytes of the node came

    def feed(self, t_us: int, data: bytes) -> None: ...

    def expired(self, t_us: int) -> bool: ...

    def shut(self, t_us: int, code: int) -> None: ...


Out = Callable[[int, bytes], None]
Closed = Callable[[int, int], None]
TlsMaker = Callable[[Out, Closed, Callable[[Out, Closed], BrokerEnd]], BrokerEnd]


class AccessNetwork(ABC):
    """One node's network. The kernel sets `call_at(t_us, function)` before it runs.

    Subclasses decide where connections lead: `connect`, `stop_broker`.
    """

    check_us = CHECK_US  # how often the far end checks its connections
    port = 0  # of the broker, 0: any
    access_point: tuple[str, str] | None = None  # SSID and password of the one Wi-Fi, None: any

    def __init__(self, faults: NetworkFaults, rng: random.Random, start_utc: int) -> None:
        self._faults = faults
        self._rng = rng
        self._start_utc = start_utc
        self.call_at: Callable[[int, Callable[[], None]], None] = lambda _t, _f: None
        self.wifi_changed: Callable[[], None] = lambda: None  # set by the Wi-Fi station

    def begin(self) -> None:
        """Schedule the faults that happen by themselves: Wi-Fi spans and the broker's absences."""
        for span in self._faults.wifi_down:
            for t_us in span:
                self.call_at(t_us, lambda: self.wifi_changed())
        for start_us, _ in self._faults.broker_away:
            self.call_at(start_us, partial(self.stop_broker, start_us))

    @abstractmethod
    def connect(self, node: str, pipe: TcpConnection, t_us: int) -> BrokerEnd:
        """Reach the broker. Raises OSError."""

    @abstractmethod
    def stop_broker(self, t_us: int) -> None:
        """The broker goes away, and every connection with it."""

    def latency_us(self) -> int:
        return self._rng.randrange(10_000, 45_000)

    def wifi_up(self, _node: str, t_us: int) -> bool:
        return not _is_in(self._faults.wifi_down, t_us)

    def join_refusal(self, ssid: str, key: str) -> int:
        """The reason why a station is not let in, 0 if it is."""
        if self.access_point is None or self.access_point == (ssid, key):
            return 0
        return WRONG_PASSWORD if self.access_point[0] == ssid else NO_AP_FOUND

    def resolve(self, _node: str, host: str, t_us: int) -> tuple[str, int]:
        """The port's own lookup: (address, microseconds it took). No address if the name is not
        found."""
        if not host.strip("0123456789."):
            return host, 0
        if _is_in(self._faults.wifi_down, t_us) or _is_in(self._faults.dns_dead, t_us):
            return "", LOOKUP_TIMEOUT_US
        return _address(host), self.latency_us()

    def open(
        self,
        node: str,
        _host: str,
        port: int,
        t_us: int,
        out: Callable[[int, bytes], None],
        closed: Callable[[int, int], None],
    ) -> TcpConnection:
        if _is_in(self._faults.wifi_down, t_us):
            raise OSError(errno.ETIMEDOUT, "no Wi-Fi")
        if _is_in(self._faults.broker_away, t_us):
            raise OSError(errno.ECONNREFUSED, "the broker is away")
        if self.port and port != self.port:
            raise OSError(errno.ECONNREFUSED, "no broker at this port")
        pipe = TcpConnection(self, out, closed)
        pipe.attach(self.connect(node, pipe, t_us), t_us)
        return pipe

    def dead_from_us(self, t_us: int) -> int | None:
        """When a connection opened now goes dead by itself. None if never."""
        for start_us, end_us in self._faults.half_open:
            if t_us < end_us:
                return max(start_us, t_us + self._rng.randrange(HALF_OPEN_LIFE_MAX_US))
        return None

    def arrival_us(self, t_us: int, after_us: int) -> int | None:
        """When bytes sent now arrive. None if never."""
        up_us = t_us
        for start_us, end_us in self._faults.wifi_down:
            if start_us <= t_us < end_us:
                up_us = end_us
        if up_us - t_us > RETRANSMIT_MAX_US:
            return None
        return max(up_us + self.latency_us(), after_us)

    def udp(
        self, _node: str, _host: str, port: int, data: bytes, t_us: int
    ) -> list[tuple[int, bytes]]:
        """Answers to a datagram and their arrival times: NTP (RFC 4330) and DNS."""
        faults = self._faults
        if not self.wifi_up("", t_us):
            return []
        there_us = t_us + self.latency_us()
        if port == 123 and not _is_in(faults.ntp_away, t_us):
            return [(there_us + self.latency_us(), self._time(there_us, data))]
        if port == 53 and not _is_in(faults.dns_dead, t_us):
            found = dns.answer(data, _address(dns.queried_name(data)))
            return [(there_us + self.latency_us(), found)]
        return []

    def _time(self, t_us: int, question: bytes) -> bytes:
        offset = sum(s for start_us, s in self._faults.ntp_offset_s if start_us <= t_us)
        seconds, us = divmod(t_us, 1_000_000)
        stamp = struct.pack(
            "!II", self._start_utc + seconds + offset + UNIX_TO_NTP & 0xFFFFFFFF,
            (us << 32) // 1_000_000,
        )  # fmt: skip
        return b"\x1c\x01\x00\xe9" + bytes(20) + question[40:48] + stamp + stamp


class DeadEnd(AccessNetwork):
    """The network of a node without Wi-Fi: no connection leads anywhere."""

    def connect(self, node: str, pipe: TcpConnection, t_us: int) -> BrokerEnd:
        raise OSError(errno.ECONNREFUSED, "there is no broker")

    def stop_broker(self, t_us: int) -> None:
        pass


class EmbeddedBrokerNetwork(AccessNetwork):
    """The network of a node with the world's own broker."""

    def __init__(
        self,
        broker: Broker,
        faults: NetworkFaults,
        rng: random.Random,
        start_utc: int,
        tls: TlsMaker | None = None,
    ) -> None:
        """tls: puts TLS around each connection."""
        super().__init__(faults, rng, start_utc)
        self._broker = broker
        self._tls = tls
        broker.refusal = self._refusal
        broker.ack_late_us = self._ack_late_us
        broker.is_hostile = lambda t_us: _is_in(faults.hostile_broker, t_us)

    def begin(self) -> None:
        super().begin()
        self._broker.call_at = self.call_at
        for start_us, end_us in self._faults.hostile_broker:
            for t_us in range(start_us, end_us, hostile.PERIOD_US):
                self.call_at(t_us, partial(self._broker.harass, t_us))

    def _refusal(self, t_us: int) -> int:
        """The CONNACK code: unavailable or not authorised, as from a broker that starts or has
        lost its users."""
        return self._rng.choice((3, 5)) if _is_in(self._faults.refused, t_us) else 0

    def _ack_late_us(self, t_us: int) -> int:
        if not _is_in(self._faults.puback_late, t_us):
            return 0
        return self._rng.randint(*self._faults.puback_late_us)

    def connect(self, node: str, pipe: TcpConnection, _t_us: int) -> BrokerEnd:
        def make(out: Out, closed: Closed) -> BrokerEnd:
            return Connection(self._broker, node, out, closed)

        if self._tls:
            return self._tls(pipe.to_node, pipe.end, make)
        return make(pipe.to_node, pipe.end)

    def stop_broker(self, t_us: int) -> None:
        self._broker.stop(t_us)


class TcpConnection:
    """A TCP connection seen from the node: `send` and `close`. Keeps order and latency."""

    def __init__(
        self,
        network: AccessNetwork,
        out: Callable[[int, bytes], None],
        closed: Callable[[int, int], None],
    ) -> None:
        self._network = network
        self._out = out
        self._closed = closed
        self._connection: BrokerEnd | None = None
        self._up_us = 0
        self._down_us = 0
        self._dead = False
        self.rtt_us = network.latency_us() * 2

    def attach(self, connection: BrokerEnd, t_us: int) -> None:
        self._connection = connection
        connection.last_us = t_us
        dead_from_us = self._network.dead_from_us(t_us)
        if dead_from_us is not None:
            self._network.call_at(dead_from_us, self._die)
        self._watch(t_us)

    def _die(self) -> None:
        self._dead = True

    def _watch(self, t_us: int) -> None:
        """The broker's keep-alive check, while the connection exists."""
        connection = self._connection
        if connection is None:
            return
        if connection.expired(t_us):
            connection.shut(t_us, 104)
            return
        check_us = self._network.check_us
        due_us = connection.last_us + check_us
        after_us = due_us if due_us > t_us else t_us + check_us
        self._network.call_at(after_us, lambda: self._watch(after_us))

    def send(self, t_us: int, data: bytes) -> None:
        """Bytes of the node. They reach the broker later, in order, or never."""
        arrival = None if self._dead else self._network.arrival_us(t_us, self._up_us)
        if arrival is None:
            self._dead = True
            return
        self._up_us = arrival
        self._network.call_at(arrival, lambda: self._feed(arrival, data))

    def _feed(self, t_us: int, data: bytes) -> None:
        if self._connection:
            self._connection.feed(t_us, data)

    def to_node(self, t_us: int, data: bytes) -> None:
        arrival = None if self._dead else self._network.arrival_us(t_us, self._down_us)
        if arrival is None:
            self._dead = True
            return
        self._down_us = arrival
        self._out(arrival, data)

    def end(self, t_us: int, code: int) -> None:
        """The broker closed the connection."""
        self._connection = None
        arrival = None if self._dead else self._network.arrival_us(t_us, self._down_us)
        if arrival is not None:
            self._closed(arrival, code)

    def close(self, t_us: int) -> None:
        """The node closed the connection. To the broker the client is gone without a
        DISCONNECT."""
        connection, self._connection = self._connection, None
        if connection:
            connection.shut(t_us, 0)


def _address(host: str) -> str:
    if host.endswith(".invalid"):
        return ""
    return OTHER_IP if host.startswith("time.") else BROKER_IP


def _is_in(spans: list[Span], t_us: int) -> bool:
    return any(start_us <= t_us < end_us for start_us, end_us in spans)
