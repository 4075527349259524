"""The bodies of answers. The row of counts is made from the columns of the exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, create_model

from tallypost.backend.exports.rows import COLUMNS

# The document of the API is English, as all output for programs.
_BEARING = "of forward, degrees from north"
_COVERAGE = "share of the day up to as_of that was observed"
_STATE = "none, unobserved, partly or observed"
_KINDS: dict[str, Any] = {"string": str, "datetime": datetime, "integer": int, "number": float}
_ALWAYS = ("site", "start", "end", "expected_s", "observed_s", "direction")
_FIELDS: dict[str, Any] = {
    one.name: (
        (_KINDS[one.kind], Field(description=one.about))
        if one.name in _ALWAYS
        else (_KINDS[one.kind] | None, Field(None, description=one.about))
    )
    for one in COLUMNS
}
Row: Any = create_model("Row", **_FIELDS)
Texts = str | dict[str, str]


class Licence(BaseModel):
    name: str
    url: str


class Period(BaseModel):
    """The time in which a node hangs at a site."""

    from_: datetime = Field(alias="from")
    to: datetime | None
    node: str
    detector: str
    bearing: float = Field(description=_BEARING)
    lanes: int
    mounting: dict[str, Any]
    counts: list[str]


class Site(BaseModel):
    """A place where the city counts. Texts are one text, or one for each language."""

    id: str
    name: Texts
    street: Texts
    about: Texts
    lat: float = Field(description="WGS 84, degrees")
    lon: float = Field(description="WGS 84, degrees")
    forward: Texts
    backward: Texts
    classes: list[str]
    timezone: str
    licence: Licence
    contact: str
    periods: list[Period]


class Sites(BaseModel):
    sites: list[Site]


class Counts(BaseModel):
    """offset, next: of the rows. next is null on the last page."""

    site: str
    step: str
    total: int
    offset: int
    next: int | None
    rows: list[Row]


class Latest(BaseModel):
    """The local day up to `as_of`. Counts are null if nothing was observed."""

    site: str
    day: str
    as_of: datetime
    coverage: float = Field(description=_COVERAGE)
    state: str = Field(description=_STATE)
    counts: dict[str, int | None]


class AllLatest(BaseModel):
    sites: list[Latest]


class Quality(BaseModel):
    day: str
    expected_s: int
    observed_s: int
    coverage: float
    state: str


class Qualities(BaseModel):
    site: str
    days: list[Quality]


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str
    status: int
    title: str
    detail: str
