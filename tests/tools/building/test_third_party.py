"""Archives of third parties: one with the pinned hash is unpacked, any other is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tallypost.building import third_party
from tallypost.faults import ToolError

NAME = "micropython-umqtt.simple-1.3.4"


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


DOCTORED = archive({f"{NAME}/umqtt/simple.py": b"import evil\n", "../outside.py": b"x"})


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the configuration of pip, and an index that does not answer."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "links").mkdir()
    return tmp_path


def test_a_wrong_hash_is_refused_and_nothing_is_installed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with pytest.raises(ToolError) as caught:
        third_party.unpack(DOCTORED, target)
    text = str(caught.value)
    assert hashlib.sha256(DOCTORED).hexdigest() in text and third_party.UMQTT.sha256 in text
    assert NAME in text and "\n" not in text and not target.exists()


@pytest.mark.parametrize("data", (b"", b"not an archive", DOCTORED[:-1]))
def test_a_damaged_archive_is_refused_before_it_is_opened(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="expected: "):
        third_party.unpack(data, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_an_archive_with_the_pinned_hash_is_unpacked(tmp_path: Path) -> None:
    known = replace(third_party.UMQTT, sha256=hashlib.sha256(DOCTORED).hexdigest())
    third_party.unpack(DOCTORED, tmp_path / "target", known)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert files == [tmp_path / "target" / "umqtt" / "simple.py"]  # the members alone
    assert files[0].read_bytes() == b"import evil\n"


def test_a_doctored_archive_in_a_folder_of_pip_is_refused(place: Path) -> None:
    (place / "links" / f"{NAME}.tar.gz").write_bytes(DOCTORED)
    with pytest.raises(ToolError, match="the SHA-256 is .*, expected: "):
        third_party.fetch(place / "target")
    assert not (place / "target").exists()


def test_an_index_that_does_not_answer_is_named_with_the_next_command(place: Path) -> None:
    with pytest.raises(ToolError, match="the download failed: .*127.0.0.1.*then run: make setup"):
        third_party.fetch(place / "target")
    assert not (place / "target").exists()


class Portal(BaseHTTPRequestHandler):
    """Answers everything with a picture."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return None


def test_a_server_that_is_no_index_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HTTPServer(("127.0.0.1", 0), Portal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
        try:
            with pytest.raises(ToolError, match="the download failed"):
                third_party.fetch(place / "target")
        finally:
            server.shutdown()


def test_a_file_that_is_there_is_not_fetched_again(place: Path) -> None:
    target = place / "target"
    (target / "umqtt").mkdir(parents=True)
    (target / "umqtt" / "simple.py").write_text("mine")
    assert third_party.fetch(target) is False
    assert (target / "umqtt" / "simple.py").read_text() == "mine"


def test_the_environment_overrides_the_files_of_pip(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = place / "pip.conf"
    config.write_text("[global]\nindex-url = http://file/simple\nextra-index-url = http://x/s\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    settings = third_party.pip_settings()
    assert settings["index-url"] == "http://127.0.0.1:9/simple"
    assert settings["extra-index-url"] == "http://x/s"


def test_the_installed_module_is_the_pinned_version() -> None:
    source = third_party.TARGET / "umqtt" / "simple.py"
    assert b"class MQTTClient" in source.read_bytes()
