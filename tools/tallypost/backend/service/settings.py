"""The settings of `tallypost listen` as a service: a TOML file, the environment, the command line.

The command line is stronger than the environment, and the environment is stronger than the file.
Each key of the file is an option of `listen` without its hyphens. In the environment it has the
prefix `TALLYPOST_`, as in TALLYPOST_PASSWORD_FILE. A relative path is relative to the folder in
which the service runs.
"""

from __future__ import annotations

import argparse
import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

BAD_CONFIG = 78  # EX_CONFIG of sysexits.h: the supervisor must not start it again
PREFIX = "TALLYPOST_"
SECTIONS: dict[str, tuple[str, ...]] = {
    "broker": (
        "host", "port", "ca", "user", "password_file", "client_id", "root", "lorawan",
    ),
    "store": ("db", "mac_keys", "mac_required"),
    "service": ("log", "log_level", "status", "node_metrics", "wait"),
}  # fmt: skip
KEYS = tuple(key for keys in SECTIONS.values() for key in keys)
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class _Given(argparse.Action):
    """Stores a value, and that the command line gave it."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        option_string: str | None = None,
    ) -> None:  # fmt: skip
        setattr(namespace, self.dest, values)
        namespace.given = getattr(namespace, "given", frozenset()) | {self.dest}


class _GivenTrue(_Given):
    def __init__(self, option_strings: Any, dest: str, **more: Any) -> None:
        more.setdefault("default", False)
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: Any, namespace: Any, _values: Any, option: Any = None) -> None:
        super().__call__(parser, namespace, True, option)


def options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the service. Call it before all other options are added."""
    verb.register("action", None, _Given)
    verb.register("action", "store_true", _GivenTrue)
    verb.set_defaults(verb_parser=verb, given=frozenset())
    add = verb.add_argument
    add("--config", type=Path, metavar=_("FILE"), help=_("settings in TOML, see deploy/"))
    add(
        "--log",
        choices=("lines", "text", "json"),
        default="lines",
        help=_("form of the log: lines for people, text or json with levels"),
    )
    add(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help=_("least level of the log (default: info)"),
    )
    add(
        "--status",
        default="",
        metavar="HOST:PORT",
        help=_("serve /healthz and /metrics there (default: nowhere)"),
    )
    add("--node-metrics", action="store_true", help=_("a metric for each node: when last seen"))
    add(
        "--wait",
        type=float,
        default=0.0,
        metavar="S",
        help=_("wait for broker and database at the start, at most S seconds"),
    )


def merged(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> None:
    """Put the values of file and environment into `args`. Raises ToolError."""
    path = args.config or (Path(name) if (name := environ.get(f"{PREFIX}CONFIG")) else None)
    values = {key: (value, f"{path}: {key}") for key, value in _read(path).items()}
    for key in KEYS:
        if (text := environ.get(PREFIX + key.upper())) is not None:
            values[key] = text, PREFIX + key.upper()
    actions = {action.dest: action for action in args.verb_parser._actions}
    for key, (value, place) in values.items():
        if key not in args.given:
            setattr(args, key, _converted(actions[key], value, place))


def _read(path: Path | None) -> dict[str, Any]:
    """The values of a file by key. Raises ToolError."""
    if not path:
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(f"{path}: {os_reason(error)}", _("Name a file with --config.")) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise _wrong(f"{path}: {error}", _("Correct the file.")) from error
    found: dict[str, Any] = {}
    for section, keys in table.items():
        _check_known(path, section, SECTIONS)
        if not isinstance(keys, dict):
            raise _wrong(f"{path}: [{section}]", _("Write it as a section, in brackets."))
        for key, value in keys.items():
            _check_known(f"{path}: [{section}]", key, SECTIONS[section])
            found[key] = value
    return found


def _check_known(place: object, name: str, known: Any) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name, known, 1)
    advice = _("Did you mean {name}?").format(name=close[0]) if close else ""
    if not advice:
        advice = _("Known names: {names}.").format(names=", ".join(known))
    raise _wrong(_("{place}: unknown name '{name}'").format(place=place, name=name), advice)


def _converted(action: argparse.Action, value: Any, place: str) -> Any:
    """A value of file or environment as the option would have it. Raises ToolError."""
    if isinstance(action, _GivenTrue):
        return _truth(value, place)
    kind: Any = action.type
    is_number = kind in (int, float)
    advice = _("Write a number.") if is_number else _("Write a text in quotes.")
    if isinstance(value, bool) or not isinstance(value, (str, int, float) if is_number else str):
        raise _wrong(f"{place} = {value!r}", advice)
    try:
        result = kind(value) if kind else value
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise _wrong(f"{place} = {value!r}", advice) from error
    if action.choices and result not in action.choices:
        names = ", ".join(action.choices)
        raise _wrong(f"{place} = {value!r}", _("Known names: {names}.").format(names=names))
    return result


def _truth(value: Any, place: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise _wrong(f"{place} = {value!r}", _("Write true or false."))


def _wrong(what: str, advice: str) -> ToolError:
    return ToolError(what, advice, BAD_CONFIG)
