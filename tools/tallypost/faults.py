"""Errors of the host side that a user can act on. Anything else is a bug.

An error has three parts: what failed, why, and the next command. `what` holds the first two, with
a colon or a full sentence between them, and `advice` the third:

    ToolError(_("{port}: permission denied").format(port=port), _("Run: tallypost doctor"))
"""

from __future__ import annotations

FAILED = 1  # the command could not be carried out
USAGE = 2  # the command line is wrong: argparse's own code


class ToolError(Exception):
    """what: the failure and its reason, without a full stop at its end. advice: the next command,
    a sentence of its own. status: exit code of the command. Both texts are translated by then."""

    def __init__(self, what: str, advice: str = "", status: int = FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.status = status

    def __str__(self) -> str:
        return f"{self.what}. {self.advice}" if self.advice else self.what
