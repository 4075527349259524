"""Files of sites for tests: a city with two sites, and changes of it."""

from __future__ import annotations

from pathlib import Path

CITY = """
[city]
name = {de = "Musterstadt", en = "Exampletown"}
timezone = "Europe/Berlin"
licence = "dl-de/by-2-0"
contact = "verkehr@musterstadt.example"

[[site]]
id = "loewenplatz"
name = "Löwenplatz"
street = "Löwenplatz 7"
lat = 49.4447
lon = 7.7689
forward = {de = "Richtung Innenstadt", en = "to the centre"}
backward = {de = "Richtung Bahnhof", en = "to the station"}
about = {de = "Radweg an der Nordseite.", en = "Cycle path on the north side."}

[[site.period]]
from = 2026-05-01
to = 2026-06-30
node = "gate"
detector = "ld2451"
bearing = 90
lanes = 2
mounting = {on = "lamp post 12", height_m = 3.5, offset_m = 0.8}
counts = ["bicycle", "car", "heavy"]

[[site.period]]
from = 2026-07-01
node = "gate-2"
detector = "ld2451"
bearing = 90
counts = ["bicycle", "car", "heavy"]

[[site]]
id = "wehr"
name = "Am Wehr"
lat = 49.41
lon = 7.70
forward = "Richtung Park"
backward = "Richtung Fluss"

[[site.period]]
from = 2026-05-01T10:30:00
node = "path"
detector = "beam"
bearing = 180
counts = ["pedestrian", "bicycle"]
"""


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """The file, with texts replaced. A text to replace must stand in it."""
    text = CITY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "sites.toml"
    path.write_text(text, encoding="utf-8")
    return path
