"""Errors of the API as RFC 9457 problem details: what failed, and what would be right."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tallypost.faults import ToolError

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """title: what failed. detail: what would be right."""

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail


def answer(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """A problem as a response."""
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail} | more
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let all errors of an app end in problem details."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.title, error.detail)

    @app.exception_handler(ToolError)
    async def _tool(_request: Request, error: ToolError) -> JSONResponse:
        # The text names files of the server, which are nobody's business outside.
        return answer(503, "the counts cannot be read now", "Try again in a minute.")

    @app.exception_handler(RequestValidationError)
    async def _wrong(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"parameter": str(one["loc"][-1]), "reason": one["msg"]} for one in error.errors()
        ]
        names = ", ".join(one["parameter"] for one in errors)
        return answer(422, f"wrong value: {names}", errors[0]["reason"], errors=errors)

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        detail = "The paths are listed at /openapi.json."
        return answer(error.status_code, str(error.detail), detail)
