"""A second call keeps the lines of others in the files of a broker."""

from __future__ import annotations

import pytest

from tallypost.inventory import broker_files
from tallypost.inventory.inventory import Secret

NODE = ("n1", Secret("n1", "x"))
OWNERS = {"n1", "gone", *broker_files.USERS}


def test_passwords_of_others_stay_and_a_hash_changes_only_with_its_password() -> None:
    first = broker_files.merged_passwords("display:$7$x\n", [("n1", "one")], OWNERS)
    assert first.splitlines()[0] == "display:$7$x"
    assert broker_files.merged_passwords(first, [("n1", "one")], OWNERS) == first
    later = broker_files.merged_passwords(first, [("n1", "two")], OWNERS)
    assert later != first and later.count("n1:") == 1
    assert broker_files.merged_passwords(later, [], OWNERS) == "display:$7$x\n"


@pytest.mark.parametrize("digest", ("", "$7$101$?$x", "$7$9$AAAA$AAAA", "plain"))
def test_a_damaged_hash_is_made_anew(digest: str) -> None:
    text = broker_files.merged_passwords(f"n1:{digest}\n", [("n1", "one")], OWNERS)
    assert text.startswith("n1:$7$101$") and text.count("\n") == 1


def test_rights_of_others_stay_and_a_node_that_is_gone_loses_its_own() -> None:
    others = "topic read $SYS/#\n\nuser display\ntopic read tallypost/v1/+/counts\n"
    stale = "user gone\ntopic write tallypost/v1/gone/counts\n"
    own = broker_files.acl([NODE])
    first = broker_files.merged_acl(others + stale, own, OWNERS)
    assert first.startswith("topic read $SYS/#\n\nuser display\n") and "gone" not in first
    assert "topic write tallypost/v1/n1/counts" in first
    assert broker_files.merged_acl(first, own, OWNERS) == first


def test_settings_outside_the_marks_and_earlier_listeners_stay() -> None:
    first = broker_files.merged_conf("", {8883: True}, "/etc/other")
    assert "certfile /etc/other/broker.pem" in first and first.count("tls_version tlsv1.2") == 1
    changed = f"# of the city\n{first}connection bridge\n"
    second = broker_files.merged_conf(changed, {8884: True})
    assert second.startswith("# of the city\n") and second.endswith("connection bridge\n")
    assert "listener 8883" in second and "listener 8884" in second
    assert second.count("acl_file /etc/other/mosquitto.acl") == 2
    assert broker_files.merged_conf(second, {8883: True}) == second


def test_a_foreign_configuration_stays_behind_ours() -> None:
    text = broker_files.merged_conf("listener 1883 localhost\n", {8883: True})
    assert text.endswith("# --- tallypost: end\nlistener 1883 localhost\n")


def test_no_cipher_without_authenticated_encryption_is_named() -> None:
    text = broker_files.merged_conf("", {8883: True})
    [line] = [line for line in text.splitlines() if line.startswith("ciphers ")]
    for cipher in line.split(" ")[1].split(":"):
        assert cipher.startswith("ECDHE-") and ("GCM" in cipher or "POLY1305" in cipher)


def test_a_plain_listener_has_no_certificate() -> None:
    text = broker_files.merged_conf("", {1883: False})
    assert "certfile" not in text and "use_username_as_clientid true" in text
