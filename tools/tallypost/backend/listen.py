"""`tallypost listen`: stores the messages of nodes from an MQTT broker, and confirms them.

While no backend listens, messages wait at the broker. If the broker loses some, the collector asks
the nodes for them.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend import messages
from tallypost.backend.collector import Collector, News, Receiver
from tallypost.backend.listener import Listener
from tallypost.backend.lorawan import network_server
from tallypost.backend.lorawan.collector import LoraCollector
from tallypost.backend.stores.access import add_option, is_url, shown_address
from tallypost.backend.stores.database import rfc3339
from tallypost.backend.record_macs import MacKeys, read_keys
from tallypost.backend.rights import probe_rights
from tallypost.backend.service import settings
from tallypost.backend.service.service import Service
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import N_, _, grouped, ngettext
from tallypost.security.broker_login import Login

_TEXTS = {  # by kind of news; the values are those of the message
    "status": N_("{state}, version {version}"),
    "event": N_("event {event}"),
    "state": N_("log {log}, newest record {newest}, detector {det}"),
    "answer": N_("answer to {id}: {code} {text}"),
    "reply": N_("answer to {id}: {error}"),
    "gone": N_("records {from} to {to} no longer exist on the node"),
    "doubt": N_("doubtful: {reason}"),
    "corrected": N_("corrected: {reason}"),
    "quarantine": N_("refused: {reason}"),
}
_SILENT = ("health", "config")  # kinds of news that only --json shows


def options(verb: argparse.ArgumentParser) -> None:
    settings.options(verb)
    _broker_options(verb)
    add = verb.add_argument
    add(
        "--lorawan",
        choices=("ttn", "chirpstack"),
        help=_("the broker belongs to this LoRaWAN network server"),
    )
    add_option(verb)
    add(
        "--mac-keys",
        type=Path,
        metavar=_("FILE"),
        help=_("keys of the nodes: refuse records that somebody else wrote or changed"),
    )
    add(
        "--mac-required",
        action="store_true",
        help=_("also refuse records without a MAC of the nodes in --mac-keys"),
    )
    add("--json", action="store_true", help=_("print one JSON object in each line"))
    add(
        "--seconds",
        type=float,
        default=0,
        metavar="S",
        help=_("stop after S seconds (default: never)"),
    )


def _broker_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--host", default="localhost", metavar="HOST", help=_("broker (default: localhost)"))
    add(
        "--port",
        type=int,
        metavar=_("PORT"),
        help=_("port of the broker (default: 1883, with --ca 8883)"),
    )
    add(
        "--ca",
        type=Path,
        metavar=_("FILE"),
        help=_("use TLS; file with the certificate of the authority, PEM"),
    )
    add(
        "--root",
        default="tallypost/v1",
        metavar=_("TOPIC"),
        help=_("root of the topics (default: tallypost/v1)"),
    )
    add(
        "--client-id",
        default="tallypost-listen",
        metavar="ID",
        help=_("name of the durable session at the broker ('': no durable session)"),
    )
    add("--user", default="", metavar=_("NAME"), help=_("user at the broker"))
    add(
        "--password-file",
        type=Path,
        metavar=_("FILE"),
        help=_("file with the MQTT password in its first line"),
    )


def run(args: argparse.Namespace) -> int:
    """Listen until --seconds are over, or Ctrl-C or SIGTERM ends it. Raises ToolError."""
    settings.merged(args)
    service = Service(args)
    try:
        _listen(args, service)
    except ToolError as error:
        if not service.log:
            raise
        service.log.error(str(error))
        return error.status
    finally:
        service.close()
    return 0


def _listen(args: argparse.Namespace, service: Service) -> None:
    if not is_url(args.db) and not args.db.parent.is_dir():
        raise ToolError(
            _("{path}: no such folder").format(path=args.db.parent),
            _("Name another file with --db."),
        )
    tell = _teller(args, service)
    collector, topics = service.wait_for(lambda: _collector(args, tell))
    login = Login(args.user, _password(args.password_file), args.ca)
    port = (8883 if args.ca else 1883) if args.port is None else args.port
    listener = Listener(collector, topics, args.client_id, login)
    listener.watch = service
    try:
        service.wait_for(lambda: listener.connect(args.host, port))
        for text in [] if args.lorawan else probe_rights(listener, args.root):
            service.warn(text)
        service.ready()
        service.note(
            _("listening to {source} at {host}:{port}, storing in {path}").format(
                source=args.lorawan or args.root,
                host=args.host,
                port=port,
                path=shown_address(args.db),
            )
        )
        if not (args.lorawan or args.mac_keys):
            service.note(_("nobody checks who wrote the records: --mac-keys FILE names the keys"))
        listener.loop(args.seconds or float("inf"))
    finally:
        listener.end()
        _tell_dropped(collector, service)
        collector.close()


def _teller(args: argparse.Namespace, service: Service) -> News:
    """What shows a piece of news: the log of a service, JSON, or lines for people."""
    log = service.log
    show_object: Callable[[dict[str, Any]], None] = console.result_json if args.json else show
    if log:
        show_object = lambda news: log.news(news, describe(news))  # noqa: E731

    def tell(kind: str, node: str, body: dict[str, Any]) -> None:
        service.news(kind, node, body)
        show_object(as_object(kind, node, body))

    return tell


def _tell_dropped(collector: Receiver, service: Service) -> None:
    """Say how many refused messages the file does not keep."""
    n = collector.refused.dropped()
    if n:
        text = ngettext(
            "{n} refused message is not kept in the quarantine",
            "{n} refused messages are not kept in the quarantine",
            n,
        )
        service.note(text.format(n=grouped(n)))


def _collector(args: argparse.Namespace, on_news: News) -> tuple[Receiver, list[str]]:
    """The collector for the messages, and the topics to subscribe to."""
    if args.lorawan:
        return LoraCollector(args.db, on_news), [network_server.TOPICS[args.lorawan]]
    macs = MacKeys(read_keys(args.mac_keys), args.mac_required)
    return Collector(args.db, args.root, on_news, macs), topics(args.root)


def topics(root: str) -> list[str]:
    """The topics of nodes that use MQTT."""
    return [f"{root}/+/{suffix}" for suffix in messages.SUFFIXES]


def _password(path: Path | None) -> str | None:
    if not path:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}", _("Name a file with the MQTT password.")
        ) from error


def as_object(kind: str, node: str, body: dict[str, Any]) -> dict[str, Any]:
    """A piece of news as one object, for --json. The message cannot change its first keys."""
    head = {"at": rfc3339(time.time()), "what": kind, "node": node}
    return head | {key: value for key, value in body.items() if key not in head}


def show(news: dict[str, Any]) -> None:
    if news["what"] not in _SILENT:
        node = console.printable(news["node"])
        console.result(f"{news['at'][11:19]} {node:<12} {describe(news)}")


def describe(news: dict[str, Any]) -> str:
    """A piece of news in one line for people. Control characters of a node are escaped."""
    if news["what"] == "interval":
        return console.printable(_describe_interval(news))
    if news["what"] == "reply" and news["ok"]:
        news = news | {"error": "ok"}
    text = console.printable(_(_TEXTS[news["what"]]).format_map(defaultdict(lambda: "?", news)))
    if dropped := news.get("dropped") if news["what"] == "quarantine" else 0:
        text += " " + _dropped(dropped)
    return text


def _dropped(n: int) -> str:
    text = ngettext(
        "({n} refused message before it is not kept)",
        "({n} refused messages before it are not kept)",
        n,
    )
    return text.format(n=grouped(n))


def _describe_interval(news: dict[str, Any]) -> str:
    counted = "  ".join(
        f"{arrow} {_classes(news['counts'][direction])}"
        for direction, arrow in (("forward", "->"), ("backward", "<-"))
    )
    reasons = f"  ({', '.join(map(_, news['why']))})" if news["why"] else ""
    start = news["start"] or _("time unknown")
    observed = _("{cov}/{len} s observed").format(cov=news["cov"], len=news["len"])
    return f"{start} {observed}  {counted}{reasons}"


def _classes(classes: dict[str, int]) -> str:
    return " ".join(f"{_(name)} {n}" for name, n in classes.items() if n) or "0"
