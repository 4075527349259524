"""Exports as Apache Parquet, with the types of the columns. Needs the package pyarrow.

Files by month can be read in place by DuckDB, pandas or Spark. The site and its licence are in the
metadata of the file, under the keys `tallypost.site` and `tallypost.columns`.
"""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

from tallypost.backend.exports.describe import site_body
from tallypost.backend.exports.rows import COLUMNS, Row
from tallypost.sites.site import City, Site


def as_parquet(city: City, site: Site, step: str, found: list[Row]) -> bytes:
    """The rows. Times are in UTC, in seconds, with the time zone of the city."""
    import pyarrow
    from pyarrow import parquet

    zone = city.timezone.key
    kinds = {
        "string": pyarrow.string(), "integer": pyarrow.int64(), "number": pyarrow.float64(),
        "datetime": pyarrow.timestamp("s", zone),
    }  # fmt: skip
    about = {column.name: column.about for column in COLUMNS}
    notes = {"site": site_body(city, site), "columns": about, "step": step}
    schema = pyarrow.schema(
        [(column.name, kinds[column.kind]) for column in COLUMNS],
        {
            f"tallypost.{key}": json.dumps(value, ensure_ascii=False)
            for key, value in notes.items()
        },
    )
    rows = [{column.name: _value(column.kind, row[column.name]) for column in COLUMNS}
            for row in found]  # fmt: skip
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), out, compression="zstd")
    return out.getvalue()


def _value(kind: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if kind == "datetime" else value
