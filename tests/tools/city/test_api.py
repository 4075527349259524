"""The read API: the same numbers as the exports, ETag, limits, problem details, OpenAPI."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.tools import golden_output
from tests.tools.city import city, days
from tests.tools.sites import site_files

from tallypost.backend.api.app import create_app
from tallypost.backend.exports.rows import rows
from tallypost.backend.figures.records import Records
from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.cli import main
from tallypost.sites.site import City, load

COUNTS = "/v1/sites/loewenplatz/counts"
ONE_DAY = {"from": "2026-06-10", "to": "2026-06-10"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("api")
    city.fill(found / "counts.sqlite")
    site_files.write(found)
    return found


@pytest.fixture(scope="module")
def town(folder: Path) -> City:
    return load(folder / "sites.toml")


@pytest.fixture(scope="module")
def client(folder: Path, town: City) -> Iterator[TestClient]:
    path = folder / "counts.sqlite"
    app = create_app(town, lambda: Records(path), lambda: days.utc(city.NOW))
    with TestClient(app, raise_server_exceptions=True) as found:
        yield found


def test_counts_are_those_of_the_exports(folder: Path, town: City, client: TestClient) -> None:
    source = Records(folder / "counts.sqlite")
    figures = SiteFigures(source, town.site("loewenplatz"), town.timezone, days.utc(city.NOW))
    day = datetime(2026, 6, 10, tzinfo=UTC).date()
    wanted = rows(figures, "15min", day, day)
    source.close()
    body = client.get(COUNTS, params=ONE_DAY | {"step": "15min"}).json()
    assert body["rows"] == wanted and body["total"] == len(wanted) == 57 * 2
    text = client.get(COUNTS, params=ONE_DAY | {"step": "15min", "format": "csv"}).text
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["car"] for row in table] == [
        "" if row["car"] is None else str(row["car"]) for row in wanted
    ]


def test_not_observed_is_null_and_zero_is_0(client: TestClient) -> None:
    found = client.get(COUNTS, params=ONE_DAY).json()["rows"]
    hours = {one["start"][11:13]: one["car"] for one in found if one["direction"] == "forward"}
    assert (hours["03"], hours["09"], hours["10"]) == (0, None, 16)


def test_pages_of_rows_follow_each_other(client: TestClient) -> None:
    whole = client.get(COUNTS, params=ONE_DAY).json()["rows"]
    found, offset = [], 0
    while offset is not None:
        body = client.get(COUNTS, params=ONE_DAY | {"offset": offset, "limit": 7}).json()
        found += body["rows"]
        offset = body["next"]
    assert found == whole and len(whole) == 30


def test_latest_and_quality(client: TestClient) -> None:
    body = client.get("/v1/sites/loewenplatz/latest").json()
    assert body["counts"] == {"bicycle": 102, "car": 196, "heavy": 0}
    assert body["as_of"] == "2026-06-10T14:15:00+02:00" and body["coverage"] == 0.9298
    assert client.get("/v1/latest").json()["sites"][0] == body
    span = {"from": "2026-06-09", "to": "2026-06-10"}
    found = client.get("/v1/sites/loewenplatz/quality", params=span).json()["days"]
    assert [one["coverage"] for one in found] == [1.0, 0.9298]


def test_an_answer_that_a_client_has_is_not_sent_again(client: TestClient) -> None:
    first = client.get(COUNTS, params=ONE_DAY)
    tag = first.headers["etag"]
    again = client.get(COUNTS, params=ONE_DAY, headers={"If-None-Match": tag})
    assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
    other = client.get(COUNTS, params=ONE_DAY | {"step": "day"}, headers={"If-None-Match": tag})
    assert other.status_code == 200 and other.headers["etag"] != tag


def test_other_pages_may_read_and_nobody_may_write(client: TestClient) -> None:
    asked = client.get("/v1/sites", headers={"Origin": "https://example.org"})
    assert asked.headers["access-control-allow-origin"] == "*"
    for method in ("post", "put", "delete", "patch"):
        assert client.request(method, "/v1/sites").status_code == 405


@pytest.mark.parametrize(
    ("path", "change", "status", "text"),
    [
        ("/v1/sites/bridge/counts", {}, 404, "Sites: loewenplatz, wehr."),
        (COUNTS, {"from": "june"}, 422, "wrong value: from"),
        (COUNTS, {"step": "2h"}, 422, "'15min', 'hour', 'day', 'week' or 'month'"),
        (COUNTS, {"format": "xlsx"}, 422, "'json' or 'csv'"),
        (COUNTS, {"from": "2026-06-11"}, 422, "the earlier day first"),
        (COUNTS, {"from": "2026-01-01"}, 422, "at most 93 days of step hour"),
        (COUNTS, {"from": "1900-01-01", "to": "1900-01-02"}, 422, "2000 to 2099"),
        (COUNTS, {"limit": "100000"}, 422, "wrong value: limit"),
        ("/v2", {}, 404, "/openapi.json"),
    ],
)
def test_a_problem_says_what_would_be_right(
    client: TestClient, path: str, change: dict[str, str], *, status: int, text: str
) -> None:
    response = client.get(path, params=ONE_DAY | change)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status and text in response.text


def test_a_store_that_cannot_be_read_names_no_file(town: City, tmp_path: Path) -> None:
    client = TestClient(create_app(town, lambda: Records(tmp_path / "none.sqlite")))
    response = client.get("/v1/sites/wehr/latest")
    assert response.status_code == 503 and "sqlite" not in response.text


def test_the_openapi_document_is_that_of_the_repository(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GOLDEN=write writes it anew."""
    words = ["--sites", str(folder / "sites.toml"), "--database", str(folder / "counts.sqlite")]
    assert main(["api", *words, "--openapi"]) == 0
    text = capsys.readouterr().out
    assert json.loads(text)["openapi"].startswith("3.1")
    golden_output.check("en", "openapi", text)


WORDS = st.one_of(
    st.sampled_from(["", "2026-06-01", "2026-06-31", "9999-12-31", "hour", "csv", "-1", "0"]),
    st.dates().map(str), st.integers().map(str), st.text(max_size=12),
)  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    site=st.sampled_from(["loewenplatz", "wehr", "x", "%00", "a" * 300]),
    part=st.sampled_from(["counts", "quality", "latest"]),
    query=st.dictionaries(
        st.sampled_from(["from", "to", "step", "format", "offset", "limit", "x"]), WORDS
    ),
)
def test_every_answer_is_one_that_the_document_describes(
    client: TestClient, site: str, part: str, query: dict[str, str]
) -> None:
    document: Any = client.get("/openapi.json").json()
    response = client.get(f"/v1/sites/{site}/{part}", params=query)
    described = document["paths"][f"/v1/sites/{{site}}/{part}"]["get"]["responses"]
    content = described[str(response.status_code)]["content"]
    kind = response.headers["content-type"].partition(";")[0]
    assert kind in content
    if kind != "text/csv":
        schema = content[kind]["schema"] | {"components": document["components"]}
        Draft202012Validator(schema).validate(response.json())
