"""Sites as data: what every export carries about the place, its history and its licence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tallypost.sites.site import City, Licence, Period, Site, Text

Body = dict[str, Any]


def site_body(city: City, site: Site) -> Body:
    """A site with its history. Texts stay in their languages."""
    return {
        "id": site.key,
        "name": _texts(site.name),
        "street": _texts(site.street),
        "about": _texts(site.about),
        "lat": site.lat,
        "lon": site.lon,
        "forward": _texts(site.forward),
        "backward": _texts(site.backward),
        "classes": list(site.classes),
        "timezone": city.timezone.key,
        "licence": licence_body(site.licence),
        "contact": city.contact,
        "periods": [_period(period) for period in site.periods],
    }


def licence_body(licence: Licence) -> Body:
    return {"name": licence.name, "url": licence.url}


def _texts(text: Text) -> Body | str:
    return text if isinstance(text, str) else dict(text)


def _period(period: Period) -> Body:
    return {
        "from": utc_text(period.first),
        "to": None if period.last == float("inf") else utc_text(period.last),
        "node": period.node,
        "detector": period.detector,
        "bearing": period.bearing_deg,
        "lanes": period.lanes,
        "mounting": dict(period.mounting),
        "counts": list(period.counts),
    }


def utc_text(utc: float) -> str:
    """Unix seconds as UTC text."""
    return datetime.fromtimestamp(utc, UTC).isoformat().replace("+00:00", "Z")


def feature(city: City, site: Site) -> Body:
    """A site as a feature of GeoJSON (RFC 7946)."""
    body = site_body(city, site)
    point = {"type": "Point", "coordinates": [body.pop("lon"), body.pop("lat")]}
    return {"type": "Feature", "id": site.key, "geometry": point, "properties": body}


def sites_geojson(city: City) -> Body:
    """All sites as a FeatureCollection."""
    return {"type": "FeatureCollection", "features": [feature(city, s) for s in city.sites]}
