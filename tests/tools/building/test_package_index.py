"""A file from a package index: links of all kinds, a login, pages that are no index."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tallypost.building.package_index import Index

NAME = "some_project-1.0.tar.gz"
LINKS = (
    f'<a href="../../files/{NAME}#sha256=00">{NAME}</a>',
    f'<a data-requires-python="&gt;=3" href="/files/{NAME}">{NAME}</a>',
    '<a href="/files/some%5Fproject-1.0.tar.gz">some project</a>',
    f'<a name="top">top</a><a href="other-1.0.whl">x</a><a href="//{{host}}/files/{NAME}">y</a>',
)


class Server(ThreadingHTTPServer):
    """An index. seen: the path and the login of each request."""

    page = ""
    kind = "text/html; charset=utf-8"
    seen: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization", "")))
        is_page = self.path == "/simple/some-project/"
        if not is_page and not self.path.startswith("/files/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", self.server.kind if is_page else "application/gzip")
        self.end_headers()
        self.wfile.write(self.server.page.encode() if is_page else b"the archive")

    def log_message(self, *_args: object) -> None:
        return None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HOME", str(tmp_path))
    made = Server(("127.0.0.1", 0), Handler)
    made.seen = []
    thread = Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def address(server: Server, user: str = "") -> str:
    return f"http://{user}127.0.0.1:{server.server_port}/simple"


def login(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("link", LINKS)
def test_a_file_is_found_by_its_name(link: str, server: Server) -> None:
    server.page = f"<html>{link.replace('{host}', f'127.0.0.1:{server.server_port}')}</html>"
    assert Index(address(server)).download("Some.Project", NAME) == b"the archive"
    assert Index(address(server) + "/").download("some-project", NAME) == b"the archive"


def test_a_file_that_the_index_has_not(server: Server) -> None:
    server.page = '<a href="some_project-2.0.tar.gz">2.0</a>'
    with pytest.raises(FileNotFoundError, match=f"the package index has no {NAME}"):
        Index(address(server)).download("some-project", NAME)
    with pytest.raises(OSError, match="simple/unknown/: Not Found"):
        Index(address(server)).download("unknown", NAME)


def test_a_page_of_another_kind_is_no_index(server: Server) -> None:
    server.kind = "image/png"
    with pytest.raises(ValueError, match=r"127\.0\.0\.1.* is no package index"):
        Index(address(server)).download("some-project", NAME)


def test_the_login_of_the_address_goes_to_the_index_and_never_into_an_error(
    server: Server,
) -> None:
    server.page = LINKS[0]
    index = Index(address(server, "user:s%40cret@"))
    assert index.download("some-project", NAME) == b"the archive"
    assert {what for _path, what in server.seen} == {login("user", "s@cret")}
    with pytest.raises(OSError) as caught:
        index.download("unknown", NAME)
    assert "cret" not in str(caught.value)


def test_the_login_of_the_address_does_not_go_to_another_host(server: Server) -> None:
    server.page = f'<a href="http://localhost:{server.server_port}/files/{NAME}">x</a>'
    Index(address(server, "user:secret@")).download("some-project", NAME)
    assert [what for _path, what in server.seen] == [login("user", "secret"), ""]


def test_a_login_from_netrc(server: Server, tmp_path: Path) -> None:
    server.page = LINKS[0]
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    Index(address(server)).download("some-project", NAME)
    assert {what for _path, what in server.seen} == {login("user", "other")}


def test_a_file_of_authorities_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Index("https://127.0.0.1:9/simple", str(tmp_path / "gone.pem"))
