"""The import files, as mosquitto, The Things Stack and ChirpStack accept them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from tallypost.hardware.boards import ROOT
from tallypost.inventory import broker_files, import_files
from tallypost.inventory.import_files import Broker, ChirpStack
from tallypost.inventory.inventory import Inventory, Secret

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
SECRETS = {"n-1": "first:secret$", "n_2": "zweites Geheimnis"}
KEY = "000102030405060708090a0b0c0d0e0f"
BROKER = Broker({8883: True})
APPLICATION, PROFILE = (
    "5a6a8d3c-0000-4000-8000-000000000001",
    "5a6a8d3c-0000-4000-8000-000000000002",
)
CHIRPSTACK = ChirpStack(APPLICATION, PROFILE)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Two nodes, one of them with LoRaWAN, and a third that was never provisioned."""
    made = Inventory(tmp_path / "out")
    made.store_secrets({node: Secret(node, word) for node, word in SECRETS.items()})
    made.store_secrets(
        {"n_2": Secret("n_2", SECRETS["n_2"], app_key=KEY), "n3": Secret("n3", "x")}
    )
    row = {"chip": "esp32", "board": "esp32_generic", "time": "", "version": "0"}
    made.append({"node": "n-1", "mac": "1", "site": "", "dev_eui": "", "join_eui": ""} | row)
    eui = {"dev_eui": "240ac4fffe000001", "join_eui": "70b3d57ed0000001"}
    made.append({"node": "n_2", "mac": "2", "site": 'Am "Tor"; West'} | eui | row)
    return made


def test_all_files_are_readable_by_their_owner_alone(inventory: Inventory) -> None:
    names = import_files.write_all(inventory, BROKER, CHIRPSTACK)
    assert names == [
        "broker/mosquitto.acl", "broker/mosquitto.conf", "broker/mosquitto.passwd",
        "chirpstack.json", "listen.password", "office.password", "ttn.csv",
    ]  # fmt: skip
    for name in names:
        path = inventory.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not any(secret in path.read_text() for secret in SECRETS.values())
    passwd = (inventory.folder / "broker" / "mosquitto.passwd").read_text()
    assert not any(line.startswith("n3:") for line in passwd.splitlines())


def test_the_file_for_the_things_stack_has_its_columns(inventory: Inventory) -> None:
    import_files.write_all(inventory, None)
    with open(inventory.folder / "ttn.csv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert rows == [
        {
            "id": "n-2", "dev_eui": "240AC4FFFE000001", "join_eui": "70B3D57ED0000001",
            "name": 'Am "Tor"; West', "frequency_plan_id": "EU_863_870_TTN",
            "lorawan_version": "MAC_V1_0_4", "lorawan_phy_version": "RP002_V1_0_3",
            "app_key": KEY.upper(),
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("node", "device"), (("n1", ""), ("a--b", ""), ("a_", ""), ("abc", "abc"))
)
def test_an_id_that_the_things_stack_refuses_is_left_empty(
    inventory: Inventory, node: str, device: str
) -> None:
    row = inventory.rows["n_2"] | {"node": node}
    assert (
        import_files.ttn([(row, inventory.secrets["n_2"])]).splitlines()[1].split(";")[0] == device
    )


def test_the_file_for_chirpstack_has_the_bodies_of_its_calls(inventory: Inventory) -> None:
    import_files.write_all(inventory, None, CHIRPSTACK)
    device, keys = json.loads((inventory.folder / "chirpstack.json").read_text())
    assert device["path"] == "/api/devices"
    body = device["body"]["device"]
    assert body["devEui"] == "240ac4fffe000001" and body["name"] == "n_2"
    assert (body["applicationId"], body["deviceProfileId"]) == (APPLICATION, PROFILE)
    assert keys["path"] == "/api/devices/240ac4fffe000001/keys"
    assert keys["body"] == {"deviceKeys": {"devEui": "240ac4fffe000001", "nwkKey": KEY}}


def test_a_password_hash_is_salted_and_has_the_form_of_mosquitto() -> None:
    one, two = broker_files.password_hash("x"), broker_files.password_hash("x")
    assert one != two and one.startswith("$7$101$") and len(one.split("$")) == 5


@pytest.fixture
def broker(inventory: Inventory) -> Iterator[int]:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    import_files.write_all(inventory, BROKER)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = inventory.folder / "broker"
    acl, passwords = folder / "mosquitto.acl", folder / "mosquitto.passwd"
    with open(acl, "a") as file:
        file.write("user city\ntopic readwrite tallypost/v1/#\n")
    with open(passwords, "a") as file:
        file.write(f"city:{broker_files.password_hash('city')}\n")
    config = inventory.folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\nuser root\n"
        f"password_file {passwords}\nacl_file {acl}\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait()


class Client:
    """One user at the broker. `heard`: the topics of the messages received."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.heard: list[str] = []
        self.accepted: bool | None = None
        self._done: set[int] = set()
        self._paho = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._paho.username_pw_set(user, password)
        self._paho.on_connect = self._connected
        self._paho.on_message = lambda _c, _u, message: self.heard.append(message.topic)
        self._paho.on_publish = lambda _c, _u, mid, *_: self._done.add(mid)
        self._paho.on_subscribe = lambda _c, _u, mid, *_: self._done.add(mid)
        self._paho.connect("127.0.0.1", port)
        self._until(lambda: self.accepted is not None)

    def _connected(self, *arguments: object) -> None:
        self.accepted = not arguments[3].is_failure  # type: ignore[attr-defined]

    def _until(self, is_so: object) -> None:
        while not is_so():  # type: ignore[operator]
            self._paho.loop(0.1)

    def publish(self, topic: str) -> None:
        number = self._paho.publish(topic, "x", qos=1).mid
        self._until(lambda: number in self._done)

    def subscribe(self, topic: str) -> None:
        _, number = self._paho.subscribe(topic, 1)
        self._until(lambda: number in self._done)

    def hears(self, topic: str) -> list[str]:
        """The topics of all messages up to one to this topic."""
        self._until(lambda: topic in self.heard)
        return self.heard


def test_a_genuine_broker_accepts_the_password_file(inventory: Inventory, broker: int) -> None:
    for user, password in SECRETS.items():
        assert Client(broker, user, password).accepted
        assert not Client(broker, user, password + "x").accepted
    assert not Client(broker, "n3", "x").accepted


def test_a_genuine_broker_gives_a_node_its_own_topics_alone(broker: int) -> None:
    root, own = "tallypost/v1", ["status", "counts", "event", "health", "config", "reply"]
    node, city = Client(broker, "n-1", SECRETS["n-1"]), Client(broker, "city", "city")
    city.subscribe(f"{root}/#")
    node.subscribe(f"{root}/#")
    for topic in ("n_2/counts", "n-1/ack", "n-1/else", *(f"n-1/{name}" for name in own)):
        node.publish(f"{root}/{topic}")
    assert city.hears(f"{root}/n-1/reply") == [f"{root}/n-1/{name}" for name in own]
    for topic in ("n_2/cmd", "n-1/status", "n-1/cmd", "n-1/ack"):
        city.publish(f"{root}/{topic}")
    assert node.hears(f"{root}/n-1/ack") == [f"{root}/n-1/cmd", f"{root}/n-1/ack"]


def test_the_access_list_names_what_the_firmware_uses() -> None:
    """Names of topics in the firmware's sources, and those of the list."""
    source = "".join(path.read_text() for path in (ROOT / "firmware").rglob("*.py"))
    published = set(re.findall(r'publish\(\s*"(\w+)"', source)) | {"status"}
    assert published == set(broker_files.WRITES)
    subscribed = re.search(r"_SUBSCRIBED = (.*)", source)
    assert subscribed and set(re.findall(r'"(\w+)"', subscribed[1])) == set(broker_files.READS)
