"""The settings of the service: file, environment, command line, and what is refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tallypost.backend import listen
from tallypost.backend.service import settings
from tallypost.faults import ToolError


def read(folder: Path, text: str, *words: str, **environ: str) -> argparse.Namespace:
    path = folder / "tallypost.toml"
    path.write_text(text)
    verb = argparse.ArgumentParser()
    listen.options(verb)
    args = verb.parse_args(["--config", str(path), *words])
    settings.merged(args, environ)
    return args


def test_each_place_is_stronger_than_the_one_before(tmp_path: Path) -> None:
    text = '[broker]\nhost = "a"\nuser = "a"\nroot = "a"\nport = 1\n[store]\nmac_required = true'
    args = read(tmp_path, text, "--root", "c", TALLYPOST_USER="b", TALLYPOST_ROOT="b")
    assert (args.host, args.user, args.root, args.port) == ("a", "b", "c", 1)
    assert args.mac_required is True and args.log == "lines"


def test_a_default_given_on_the_command_line_is_stronger_than_the_file(tmp_path: Path) -> None:
    text = '[broker]\nhost = "a"\n[service]\nnode_metrics = false'
    args = read(tmp_path, text, "--host", "localhost", "--node-metrics")
    assert (args.host, args.node_metrics) == ("localhost", True)


def test_values_have_the_types_of_the_options(tmp_path: Path) -> None:
    text = '[broker]\nca = "ca.pem"\n[service]\nwait = 5\nlog = "json"'
    args = read(tmp_path, text, TALLYPOST_PORT="8883", TALLYPOST_NODE_METRICS="yes")
    assert (args.ca, args.wait, args.port) == (Path("ca.pem"), 5.0, 8883)
    assert args.node_metrics is True


@pytest.mark.parametrize(
    ("text", "environ", "what", "advice"),
    [
        ('[broker]\nhots = "a"', {}, "[broker]: unknown name 'hots'", "Did you mean host?"),
        ("[brokr]\n", {}, "unknown name 'brokr'", "Did you mean broker?"),
        ("[store]\nqqqqq = 1", {}, "[store]: unknown name 'qqqqq'", "Known names: db,"),
        ('[broker]\nport = "many"', {}, "port = 'many'", "Write a number."),
        ("[broker]\nhost = 5", {}, "host = 5", "Write a text in quotes."),
        ("[broker]\nhost = true", {}, "host = True", "Write a text in quotes."),
        ('[service]\nlog = "xml"', {}, "log = 'xml'", "Known names: lines, text, json."),
        ('[store]\nmac_required = "maybe"', {}, "mac_required = 'maybe'", "true or false"),
        ("host = ", {}, "Invalid value", "Correct the file."),
        ("host = 1", {}, "unknown name 'host'", "Known names: broker, store, service."),
        ("broker = 1", {}, "[broker]", "as a section"),
        ("", {"TALLYPOST_PORT": "x"}, "TALLYPOST_PORT = 'x'", "Write a number."),
    ],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, text: str, environ: dict[str, str], what: str, advice: str
) -> None:
    with pytest.raises(ToolError) as caught:
        read(tmp_path, text, **environ)
    assert what in caught.value.what and advice in caught.value.advice
    assert caught.value.status == settings.BAD_CONFIG and "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    verb = argparse.ArgumentParser()
    listen.options(verb)
    args = verb.parse_args([])
    with pytest.raises(ToolError, match="nothing.toml: No such file"):
        settings.merged(args, {"TALLYPOST_CONFIG": str(tmp_path / "nothing.toml")})


def test_every_key_is_an_option() -> None:
    verb = argparse.ArgumentParser()
    listen.options(verb)
    known = vars(verb.parse_args([]))
    assert [key for key in settings.KEYS if key not in known] == []
