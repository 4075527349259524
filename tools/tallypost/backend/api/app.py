"""The routes of the read API.

Each request opens the store for reading and closes it. An answer has an ETag, so a client that
sends `If-None-Match` gets 304 without a body while nothing changed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware

from tallypost.backend.api import models, problems
from tallypost.backend.api.problems import Problem
from tallypost.backend.exports import describe, plain
from tallypost.backend.exports.rows import rows
from tallypost.backend.figures.records import Records
from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.backend.figures.spans import day_of, local
from tallypost.sites.site import City, Site, text_in

SPAN_MAX_DAYS = {"15min": 31, "hour": 93, "day": 1100, "week": 3700, "month": 3700}
PAGE_MAX = 10_000  # rows of an answer
MAX_AGE_S = 60
_WRONG: dict[int | str, dict[str, Any]] = {
    status: {"model": models.ProblemBody, "description": text}
    for status, text in (
        (404, "unknown site"), (422, "wrong parameter"), (503, "the store cannot be read"),
    )
}  # fmt: skip
Step = Literal["15min", "hour", "day", "week", "month"]
# The document of the API is English, as all output for programs.
_SITE, _DAY = "id of the site", "local day, YYYY-MM-DD"
_ABOUT = "Counts of road users in {city}. A count of null was not observed."
Key = Annotated[str, Path(description=_SITE, max_length=40)]
Day = Annotated[date, Query(description=_DAY)]


class Api:
    """city: its sites. open_source: opens the store. clock: unix seconds."""

    def __init__(
        self, city: City, open_source: Callable[[], Records], clock: Callable[[], float]
    ) -> None:
        self._city, self._open, self._clock = city, open_source, clock

    def site(self, key: str) -> Site:
        for one in self._city.sites:
            if one.key == key:
                return one
        known = ", ".join(one.key for one in self._city.sites)
        raise Problem(404, f"there is no site '{key[:40]}'", f"Sites: {known}.")

    @contextmanager
    def figures(self, key: str) -> Iterator[SiteFigures]:
        site = self.site(key)
        source = self._open()
        try:
            yield SiteFigures(source, site, self._city.timezone, self._clock())
        finally:
            source.close()

    def sites(self) -> models.Sites:
        return models.Sites.model_validate(
            {"sites": [describe.site_body(self._city, one) for one in self._city.sites]}
        )

    def rows(self, key: str, days: tuple[date, date], step: str) -> list[dict[str, Any]]:
        """The rows of a span of days. Raises Problem."""
        first, last = days
        longest = SPAN_MAX_DAYS[step]
        if not 0 <= (last - first).days < longest:
            raise Problem(
                422, f"from {first} to {last} is not 1 to {longest} days",
                f"Ask for at most {longest} days of step {step} at once, the earlier day first.",
            )  # fmt: skip
        if not 2000 <= first.year <= last.year < 2100:
            raise Problem(
                422, f"{first} to {last} is not within 2000 to 2099", "Correct the year."
            )
        if step == "15min" and self._city.finest == "hour":
            raise Problem(
                422, "this city publishes no step shorter than an hour", "Ask for step=hour."
            )
        with self.figures(key) as figures:
            return rows(figures, step, first, last)

    def latest(self, key: str) -> models.Latest:
        with self.figures(key) as figures:
            day = day_of(figures.as_of - 1, figures.zone)
            [today] = figures.of_days("day", day, day)
            return models.Latest(
                site=key, day=day.isoformat(), as_of=local(figures.as_of, figures.zone),
                coverage=round(today.coverage, 4), state=today.state,
                counts={name: today.count(name) for name in figures.site.classes},
            )  # fmt: skip

    def quality(self, key: str, days: tuple[date, date]) -> models.Qualities:
        self.rows(key, (days[0], days[0]), "day")  # checks site and span
        if not 0 <= (days[1] - days[0]).days < SPAN_MAX_DAYS["day"] or days[1].year > 2099:
            raise Problem(422, "the span is too long", "Ask for at most 1100 days.")
        with self.figures(key) as figures:
            found = figures.of_days("day", *days)
            return models.Qualities(
                site=key,
                days=[
                    models.Quality(
                        day=day_of(one.first, figures.zone).isoformat(),
                        expected_s=one.expected_s, observed_s=one.observed_s,
                        coverage=round(one.coverage, 4), state=one.state,
                    )
                    for one in found
                ],
            )  # fmt: skip

    def all_latest(self) -> models.AllLatest:
        return models.AllLatest(sites=[self.latest(one.key) for one in self._city.sites])

    def geojson(self) -> str:
        return plain.dumps(describe.sites_geojson(self._city))


def create_app(
    city: City, open_source: Callable[[], Records], clock: Callable[[], float] = time.time
) -> FastAPI:
    """The application. open_source: opens the store for one request."""
    name = text_in(city.name, "en")
    app = FastAPI(
        title="Tallypost counts", version="1", docs_url=None, redoc_url=None,
        description=_ABOUT.format(city=name),
    )  # fmt: skip
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])
    app.middleware("http")(_tagged)
    problems.install(app)
    api = Api(city, open_source, clock)
    _site_routes(app, api)
    _count_routes(app, api)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Name the media types that are no JSON in the OpenAPI document."""
    document = app.openapi()
    for path, item in document["paths"].items():
        for status, response in item["get"]["responses"].items():
            content = response.setdefault("content", {})
            if status >= "400":
                content[problems.MEDIA_TYPE] = content.pop("application/json")
            elif path.endswith("/counts"):
                content["text/csv"] = {"schema": {"type": "string"}}
            elif path.endswith(".geojson"):
                content["application/geo+json"] = content.pop("application/json")


def _site_routes(app: FastAPI, api: Api) -> None:
    @app.get("/v1/sites", response_model=models.Sites, response_model_by_alias=True)
    def sites() -> models.Sites:
        """All sites with their history."""
        return api.sites()

    @app.get("/v1/sites.geojson")
    def sites_geojson() -> Response:
        """All sites as GeoJSON."""
        return Response(api.geojson(), media_type="application/geo+json")

    @app.get("/v1/latest", responses={503: _WRONG[503]})
    def all_latest() -> models.AllLatest:
        """The day so far, of all sites."""
        return api.all_latest()

    @app.get("/v1/sites/{site}/latest", responses=_WRONG)
    def latest(site: Key) -> models.Latest:
        """The day so far, of a site."""
        return api.latest(site)


def _count_routes(app: FastAPI, api: Api) -> None:
    @app.get("/v1/sites/{site}/counts", responses=_WRONG, response_model=models.Counts)
    def counts(
        site: Key, *, first: Annotated[Day, Query(alias="from")],
        last: Annotated[Day, Query(alias="to")], step: Step = "hour",
        form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
        offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE_MAX,
    ) -> Any:  # fmt: skip
        """Counts, coverage and speeds by span and direction. `format=csv` gives a CSV file."""
        found = api.rows(site, (first, last), step)
        page = found[offset : offset + limit]
        if form == "csv":
            return Response(plain.as_csv(page), media_type="text/csv")
        following = offset + limit if offset + limit < len(found) else None
        return {"site": site, "step": step, "total": len(found), "offset": offset,
                "next": following, "rows": page}  # fmt: skip

    @app.get("/v1/sites/{site}/quality", responses=_WRONG)
    def quality(
        site: Key, *, first: Annotated[Day, Query(alias="from")],
        last: Annotated[Day, Query(alias="to")],
    ) -> models.Qualities:  # fmt: skip
        """How much of each day was observed."""
        return api.quality(site, (first, last))


async def _tagged(request: Request, call: Callable[[Request], Any]) -> Response:
    """Add an ETag to a good answer, and answer 304 to a client that has it already."""
    response = await call(request)
    if response.status_code != 200 or request.method != "GET":
        return response  # type: ignore[no-any-return]
    body = b"".join([part async for part in response.body_iterator])
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = dict(response.headers) | {
        "etag": tag, "cache-control": f"public, max-age={MAX_AGE_S}"
    }  # fmt: skip
    if tag in request.headers.get("if-none-match", ""):
        headers.pop("content-length", None)
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers)
