"""The MQTT link: stays connected to the broker and carries messages of the node's own topics."""

import asyncio
import gc
import json

from core.modules import unload_modules
from mqtt import Client, LinkDown

_SUBSCRIBED = (b"ack", b"cmd")


def message_bytes():
    """Bytes of the longest message: as the heap allows, and always enough for one interval."""
    return min(max(gc.mem_free() // 16, 2048), 8192)


class MqttLink:
    """wifi: Wifi. secrets: {"mqtt_user", "mqtt_pass"}.

    authorities: certificates of the broker's authorities, DER, needed with `mqtt_tls`.
    """

    def __init__(self, config, secrets, node, wifi, backoff, *, log, authorities=()):
        self._config = config
        self._authorities = authorities
        self._wifi = wifi
        self._backoff = backoff
        self._log = log
        self._base = ("%s/%s/" % (config["mqtt_root"], node)).encode()
        self._node = node
        self._client = Client(
            "tallypost-" + node, config["mqtt_host"], config["mqtt_port"],
            user=secrets.get("mqtt_user"), password=secrets.get("mqtt_pass"),
            keepalive=config["mqtt_keepalive"], frame_bytes=message_bytes(),
        )  # fmt: skip
        self._client.resolve = wifi.resolve
        self._client.on_message = self._received
        self._client.on_refused = self._refused
        self._up = asyncio.Event()
        self.hello = None  # function(): the payload of `status`
        self.on_message = None  # function(suffix, payload)
        self.on_refused = None  # function(reason): a message could not be read
        self._ended = ""
        self.error = ""  # why there is no connection, or was none the last time
        self.connects = 0
        self.failures = 0

    def is_up(self):
        return self._up.is_set()

    async def wait_up(self):
        await self._up.wait()

    def _received(self, topic, payload, is_retained):
        suffix = topic[len(self._base) :]
        if is_retained:  # it would be obeyed at every start
            self._refused("%s: retained message, dropped" % suffix.decode())
        elif self.on_message and topic.startswith(self._base) and suffix in _SUBSCRIBED:
            self.on_message(suffix.decode(), payload)

    def _refused(self, reason):
        if self.on_refused:
            self.on_refused(reason)

    async def publish(self, suffix, fill, retain=False, qos=1):
        """Send the output of `fill(frame)`, or a dict as JSON. Returns the result of `fill`.

        Returns when the broker has taken the message (qos 1). Raises LinkDown, and FrameFull for
        a message that no frame holds.
        """
        if not self._up.is_set():
            raise LinkDown("not connected")
        if isinstance(fill, dict):
            body = fill

            def fill(frame):
                json.dump(body, frame)

        return await self._client.publish(self._base + suffix.encode(), fill, retain, qos)

    async def run(self, progress):
        """Connect, listen until the link is down, back off, for ever."""
        delay_ms = 0
        while True:
            progress.idle()  # there may be no network for days
            await self._wifi.wait_up()
            progress.made()
            try:
                await self._session(progress)
            except LinkDown as error:
                self.failures += 1
                self.error = str(error)
                delay_ms = self._backoff.next_ms()
                self._log.warn("mqtt: %s; next try in %d s", error, delay_ms // 1000)
            finally:
                self._up.clear()
                self._client.drop()
            progress.made()
            await asyncio.sleep_ms(delay_ms)

    async def _session(self, progress):
        client = self._client
        will = json.dumps({"v": 1, "node": self._node, "state": "offline"})
        client.set_last_will(self._base + b"status", will.encode(), True, 1)
        if self._config["mqtt_tls"]:
            from delivery.mqtt.tls import wrapper  # 1,100 bytes

            client.wrap = wrapper(self._authorities, self._config["mqtt_host"])
        try:
            await client.open()
        finally:
            unload_modules()
        listener = asyncio.create_task(self._listen())
        try:
            for suffix in _SUBSCRIBED:
                if self._base + suffix != client.unread:
                    await client.subscribe(self._base + suffix)
            await client.retransmit()
            self._up.set()
            self.connects += 1
            self._log.info("mqtt: connected")
            await self.publish("status", self.hello(), True)
            await self.publish("config", self._config_message(), True)
            if client.unread:
                self._refused("message too long to be read, its topic is closed for a while")
            self._backoff.reset()
            progress.idle()  # the publisher stalls if this does not end with the connection
            await listener
            raise LinkDown(self._ended)
        finally:
            listener.cancel()

    async def _listen(self):
        """Read packets until the connection is gone, and end all waiting for it."""
        try:
            await self._client.listen()
        except Exception as error:  # a listener that ends for any reason ends the connection
            self._ended = str(error) or repr(error)
            self._client.drop()

    def reopen(self):
        """Subscribe again to the topic of a message that was too long, in a new session."""
        if self._client.unread:
            self._client.unread = b""
            self._client.drop()

    def _config_message(self):
        return {
            "v": 1, "node": self._node, "hash": "%08x" % self._config.hash,
            "config": self._config.shown(),
        }  # fmt: skip
