"""Errors of the host side that a user can do something about. Anything else is a bug."""

from __future__ import annotations

FAILED = 1  # what was asked could not be done
USAGE = 2  # it was asked wrongly: argparse's own code


class ToolError(Exception):
    """`what` failed and why, in one line; `hint`: the next thing to try. `status`: exit code."""

    def __init__(self, what: str, hint: str = "", status: int = FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.status = status

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}" if self.hint else self.what
