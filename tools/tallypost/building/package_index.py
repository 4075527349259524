"""Downloads one file from a Python package index, with the standard library alone.

The page of a project is read as HTML (simple repository API, PEP 503). Proxies come from the
environment. A user name is taken from the address of the index, else from ~/.netrc.
"""

from __future__ import annotations

import base64
import netrc
import os
import re
import ssl
from contextlib import suppress
from html.parser import HTMLParser
from http.client import HTTPException
from urllib.parse import SplitResult, unquote, urljoin, urlsplit
from urllib.request import HTTPSHandler, Request, build_opener

from tallypost.i18n import _

_TIMEOUT_S = 60
_HTML = ("application/vnd.pypi.simple.v1+html", "text/html")


def _built_in() -> str:
    """The address that pip has built in. A wheel is built where there may be no pip."""
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url)


class _Links(HTMLParser):
    """The addresses of all links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


class Index:
    """address: of the index, "" for the one that pip uses without a configuration.

    certificates: file with the authorities to trust, "" for those of the system and of pip.
    """

    def __init__(self, address: str = "", certificates: str = "") -> None:
        self._index = urlsplit(address or _built_in())
        trusted = _context(certificates or os.environ.get("REQUESTS_CA_BUNDLE", ""))
        self._opener = build_opener(HTTPSHandler(context=trusted))

    def download(self, project: str, name: str) -> bytes:
        """The file `name` of a project; raises OSError, and ValueError for a page of no index."""
        folder = re.sub(r"[-_.]+", "-", project).lower()
        page = f"{_without_user(self._index)}".rstrip("/") + f"/{folder}/"
        for address in self._links(page):
            if unquote(urlsplit(address).path.rpartition("/")[2]) == name:
                return self._get(address)[0]
        raise FileNotFoundError(_("the package index has no {name}").format(name=name))

    def _links(self, page: str) -> list[str]:
        data, kind, address = self._get(page, accept=", ".join(_HTML))
        if kind not in _HTML:
            raise ValueError(_("{address} is no package index").format(address=page))
        parser = _Links()
        parser.feed(data.decode("utf-8", "replace"))
        return [urljoin(address, link) for link in parser.found]

    def _get(self, address: str, accept: str = "*/*") -> tuple[bytes, str, str]:
        """Content, its type, and the address that it came from in the end."""
        request = Request(address, headers={"Accept": accept})
        host = urlsplit(address).hostname or ""
        if login := self._login(host):
            request.add_unredirected_header("Authorization", f"Basic {login}")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return answer.read(), answer.headers.get_content_type(), answer.url
        except (OSError, HTTPException) as error:
            raise OSError(f"{address}: {getattr(error, 'reason', error)}") from error

    def _login(self, host: str) -> str:
        """User and password for a host, encoded; "" if there are none."""
        user, password = self._index.username or "", self._index.password or ""
        if host != self._index.hostname or not user:
            user = password = ""
            with suppress(OSError, netrc.NetrcParseError):
                user, _account, password = netrc.netrc().authenticators(host) or ("", "", "")
        login = f"{unquote(user)}:{unquote(password)}"
        return base64.b64encode(login.encode()).decode() if user else ""


def _without_user(address: SplitResult) -> str:
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def _context(certificates: str) -> ssl.SSLContext:
    """Trust in the given authorities; without any in those of the system and those of pip."""
    context = ssl.create_default_context(cafile=certificates or None)
    if not certificates:
        with suppress(ImportError, OSError):
            from pip._vendor import certifi  # a bare Debian has no authorities of its own

            context.load_verify_locations(certifi.where())
    return context
