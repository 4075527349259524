"""The files of a mosquitto broker: users, access list and configuration.

    mosquitto.passwd   user:$7$ITERATIONS$SALT$HASH, PBKDF2-HMAC-SHA512, salt and hash in base64.
                       The salt has 12 bytes: mosquitto 1.6 and 2.0 accept no other length
    mosquitto.acl      each node may write and read its own topics only
    mosquitto.conf     the listener with TLS, and the limits

A call writes its own part anew and keeps all lines that are not its own: other users, topics in
front of the first user, and settings outside the two marks. mosquitto.passwd keeps a hash that
still fits, so that a file changes only if a password does.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.inventory.inventory import Secret

WRITES = ("status", "counts", "event", "health", "config", "reply")
READS = ("ack", "cmd")
BACKEND, OFFICE = "tallypost-listen", "tallypost-office"  # users beside the nodes
USERS = (BACKEND, OFFICE)
FOLDER = "/etc/mosquitto/tallypost"  # of the files at the broker
PROBE = "_probe"  # where `listen` tries whether it may write and read; no node has this name
_SALT_BYTES, _ITERATIONS = 12, 101  # the secrets are long and random: more rounds add nothing
_BEGIN = (
    "# --- tallypost: begin. tallypost provision writes the lines down to the end mark anew.\n"
)
_END = "# --- tallypost: end\n"
_FOLDER_LINE = re.compile(r"^acl_file (.*)/mosquitto\.acl$", re.MULTILINE)
_LISTENER = re.compile(r"^listener ([0-9]+)\n((?:.+\n)*)", re.MULTILINE)
# ECDHE with AEAD alone; the names of OpenSSL for TLS 1.2. TLS 1.3 has no others.
_CIPHERS = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
_GENERAL = """\
per_listener_settings true
user mosquitto
# Retained messages and durable sessions survive a crash but for the last 30 seconds. Nodes send a
# record again until the backend has confirmed it, so none is lost.
persistence true
persistence_location /var/lib/mosquitto/
autosave_interval 30
persistent_client_expiration 90d
# For a backend that is away, and for all nodes that report at the same second: 256 MB of messages.
# The messages of nodes have 4 KB.
max_queued_messages 100000
max_queued_bytes 268435456
# The collector stores what has arrived in one transaction. Its acknowledgements come behind the
# messages that are on their way: with 1,000 of them they took five times as long.
max_inflight_messages 100
max_packet_size 66560
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
"""


def merged_passwords(old: str, known: Iterable[tuple[str, str]], stale: Iterable[str]) -> str:
    """A password file with these (user, password). old: the file as it is, "" without one.

    stale: users that have no access any more. Lines of all other users stay.
    """
    wanted = dict(known)
    hashes, kept = {}, []
    for line in old.splitlines():
        user, colon, digest = line.partition(":")
        if colon and user in wanted:
            hashes[user] = digest
        elif line and not (colon and user in set(stale)):
            kept.append(line + "\n")
    for user, password in wanted.items():
        digest = hashes.get(user, "")
        if not _fits(digest, password):
            digest = password_hash(password)
        kept.append(f"{user}:{digest}\n")
    return "".join(kept)


def password_hash(password: str, salt: bytes = b"") -> str:
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"$7${_ITERATIONS}${'$'.join(encoded)}"


def _fits(digest: str, password: str) -> bool:
    parts = digest.split("$")
    if len(parts) != 5 or parts[:3] != ["", "7", str(_ITERATIONS)]:
        return False
    try:
        return password_hash(password, base64.b64decode(parts[3], validate=True)) == digest
    except ValueError:
        return False


def merged_acl(old: str, own: str, owners: Iterable[str]) -> str:
    """An access list with the part `own`. The blocks of other users stay.

    owners: all users whose blocks are written here, those without access included.
    """
    mine = {f"user {name}" for name in owners}
    head, *blocks = re.split(r"^(?=user )", old, flags=re.MULTILINE)
    kept = [block for block in blocks if block.partition("\n")[0].strip() not in mine]
    parts = [part.strip() for part in (head, *kept) if part.strip()]
    return "\n\n".join([*parts, own]).rstrip("\n") + "\n"


def acl(pairs: Iterable[tuple[str, Secret]]) -> str:
    """The blocks of the nodes and of our own users. Every topic that is not named is denied.

    pairs: node, secret.
    """
    lines, roots = [], set()
    for node, secret in pairs:
        lines.append(f"user {secret.mqtt_user}")
        for access, names in (("write", WRITES), ("read", READS)):
            lines += [f"topic {access} {secret.mqtt_root}/{node}/{name}" for name in names]
        lines.append("")
        roots.add(secret.mqtt_root)
    for user, writes in ((BACKEND, ("+/ack", "+/cmd", f"{PROBE}/status")), (OFFICE, ("+/cmd",))):
        lines.append(f"user {user}")
        for root in sorted(roots):
            lines += [f"topic read {root}/+/{name}" for name in WRITES]
            lines += [f"topic write {root}/{name}" for name in writes]
        lines.append("")
    return "\n".join(lines)


def merged_conf(old: str, listeners: dict[int, bool], folder: str = "") -> str:
    """The configuration of the broker. old: the file as it is, "" without one.

    listeners: by port whether it uses TLS. Those in the file stay. folder: of the files at the
    broker; "": the present one. Everything outside the marks stays.
    """
    before, begin, rest = old.partition(_BEGIN)
    own, end, after = rest.partition(_END)
    if old and not (begin and end):
        before, own, after = "", "", old
    found = _FOLDER_LINE.search(own)
    folder = folder or (found[1] if found else FOLDER)
    present = {int(port): "\ncertfile " in text for port, text in _LISTENER.findall(own)}
    wanted = sorted((present | listeners).items())
    text = "".join(_listener(port, tls, folder) for port, tls in wanted)
    after = after or "\ninclude_dir /etc/mosquitto/conf.d\n"
    return f"{before}{_BEGIN}{_GENERAL}{text}{_END}{after}"


def _listener(port: int, tls: bool, folder: str) -> str:
    lines = [
        f"listener {port}", "allow_anonymous false", f"password_file {folder}/mosquitto.passwd",
        f"acl_file {folder}/mosquitto.acl",
        # Nobody can take the place of another client by its client id.
        "use_username_as_clientid true", "max_connections 20000",
    ]  # fmt: skip
    if tls:
        lines += [
            f"certfile {folder}/broker.pem", f"keyfile {folder}/broker.key",
            "tls_version tlsv1.2", f"ciphers {_CIPHERS}",
        ]  # fmt: skip
    return "\n" + "\n".join(lines) + "\n"


def read_old(path: Path) -> str:
    """The text of a file as it is, "" without one. Raises ToolError."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unreadable(path, os_reason(error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, reason: str) -> ToolError:
    return ToolError(
        _("{path}: the file cannot be read: {reason}").format(path=path, reason=reason),
        _("Correct or remove it, then run the same command again."),
    )
