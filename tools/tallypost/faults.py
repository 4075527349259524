"""Errors of the host side that a user can act on. Anything else is a bug.

An error has three parts: the failure, its reason, the next command. `what` holds the first two,
with a colon between them, and `advice` holds the third:

    ToolError(_("{port}: permission denied").format(port=port), _("Run: tallypost doctor"))
"""

from __future__ import annotations

from tallypost.i18n import N_, _

FAILED = 1  # the command could not be carried out
USAGE = 2  # the command line is wrong: argparse's own code

# Reasons that the operating system gives most often, so that `os_reason` has their German.
OS_REASONS = (
    N_("No such file or directory"), N_("Permission denied"), N_("Is a directory"),
    N_("Not a directory"), N_("File exists"), N_("No space left on device"),
    N_("Read-only file system"), N_("Connection refused"), N_("Connection reset by peer"),
    N_("No route to host"), N_("Network is unreachable"), N_("Name or service not known"),
    N_("Temporary failure in name resolution"), N_("timed out"),
)  # fmt: skip


class ToolError(Exception):
    """An error for the user. Its texts are already translated.

    `what`: the failure and its reason, without a full stop at the end. `advice`: the next command,
    a sentence of its own. `status`: exit status of the command.
    """

    def __init__(self, what: str, advice: str = "", status: int = FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.status = status

    def __str__(self) -> str:
        return f"{self.what}. {self.advice}" if self.advice else self.what


def os_reason(error: OSError) -> str:
    """The reason of the operating system for an error, in the language in use."""
    text = error.strerror or str(error)
    return _(text)
