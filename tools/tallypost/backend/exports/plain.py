"""Exports as CSV, JSON and GeoJSON.

CSV (RFC 4180): an empty field was not observed, a 0 was. The site and its licence are in the JSON
beside it: a Frictionless Data Package, with the meaning of each column.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from tallypost.backend.exports.describe import feature, licence_body, site_body
from tallypost.backend.exports.rows import COLUMNS, Row
from tallypost.sites.site import City, Site, text_in

Body = dict[str, Any]


def dumps(body: Any) -> str:
    """JSON as it stands in a file: UTF-8, a final newline."""
    return json.dumps(body, ensure_ascii=False, indent=1) + "\n"


def as_csv(found: list[Row]) -> str:
    """The rows with a head line."""
    out = io.StringIO()
    table = csv.DictWriter(out, [column.name for column in COLUMNS], lineterminator="\r\n")
    table.writeheader()
    table.writerows(found)
    return out.getvalue()


def as_json(city: City, site: Site, step: str, found: list[Row]) -> str:
    """The site, the meaning of the columns, and the rows."""
    columns = {column.name: column.about for column in COLUMNS}
    body = {"site": site_body(city, site), "step": step, "columns": columns, "rows": found}
    return dumps(body)


def as_geojson(city: City, site: Site, step: str, found: list[Row]) -> str:
    """The site as a feature with its rows."""
    body = feature(city, site)
    body["properties"] |= {"step": step, "rows": found}
    return dumps({"type": "FeatureCollection", "features": [body]})


def data_package(city: City, site: Site, files: list[str], language: str) -> str:
    """The description of CSV files of a site (Frictionless Data Package 1)."""
    fields = [
        {"name": one.name, "type": one.kind, "description": one.about}
        | ({"format": "any"} if one.kind == "datetime" else {})
        for one in COLUMNS
    ]
    name = text_in(site.name, language)
    licence = licence_body(site.licence)
    return dumps(
        {
            "name": site.key,
            "title": f"{name}, {text_in(city.name, language)}",
            "licenses": [{"title": licence["name"], "path": licence["url"]}],
            "contributors": [{"title": city.contact, "role": "publisher"}],
            "tallypost": {"site": site_body(city, site)},
            "resources": [
                {
                    "name": path.removesuffix(".csv"), "path": path, "format": "csv",
                    "mediatype": "text/csv", "encoding": "utf-8",
                    "profile": "tabular-data-resource",
                    "schema": {"fields": fields, "missingValues": [""]},
                }
                for path in files
            ],
        }
    )  # fmt: skip
