"""`tallypost completion`: a script that completes verbs and options in a shell.

The script is written from the command line itself and asks nothing when it runs.
"""

from __future__ import annotations

import argparse
import sys

from tallypost.i18n import _

SHELLS = ("bash", "zsh", "fish")
_BASH = """\
_tallypost() {{
  local words
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="{verbs} --help --version"
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _tallypost tallypost
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
_START = {
    "bash": 'eval "$(tallypost completion bash)"',
    "zsh": 'eval "$(tallypost completion zsh)"',
    "fish": "tallypost completion fish | source",
}


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("shell", choices=SHELLS, help=_("shell that reads the script"))
    verb.epilog = _("Start of a shell: {bash}").format(bash=_START["bash"])


def run(args: argparse.Namespace) -> int:
    bash = bash_script()
    scripts = {"bash": bash, "zsh": _ZSH + bash, "fish": fish_script()}
    sys.stdout.write(scripts[args.shell])
    return 0


def bash_script() -> str:
    cases = [
        f'    {verb}) words="{" ".join(option for option, _text in found)}" ;;'
        for verb, (_help, found) in _verbs().items()
    ]
    return _BASH.format(cases="\n".join(cases), verbs=" ".join(_verbs()))


def fish_script() -> str:
    lines = ["complete -c tallypost -n __fish_use_subcommand -l version"]
    for verb, (text, found) in _verbs().items():
        lines.append(
            f"complete -c tallypost -f -n __fish_use_subcommand -a {verb} -d {_quoted(text)}"
        )
        for option, about in found:
            kind = "l" if option.startswith("--") else "s"
            lines.append(
                f"complete -c tallypost -n '__fish_seen_subcommand_from {verb}'"
                f" -{kind} {option.lstrip('-')} -d {_quoted(about)}"
            )
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _verbs() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Of each verb its description and its options, each with its help."""
    from tallypost import cli  # which imports the verbs

    found = {}
    for verb in cli.VERBS:
        sub = cli.verb_parser(verb)
        pairs = [
            (option, action.help or "")
            for action in sub._actions
            for option in action.option_strings
            if action.help != argparse.SUPPRESS
        ]
        found[verb] = (sub.description or "", pairs)
    return found
