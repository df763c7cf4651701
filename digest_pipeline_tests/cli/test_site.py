"""`digest site` and `digest serve`: what they print, refuse and give out."""

from __future__ import annotations

import signal
import socket
import threading
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from digest_pipeline.cli.server import listen
from digest_pipeline_tests.fakes.project import Project, assert_no_traceback, assert_refused, finished, local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_the_path_of_the_start_page_is_the_result(made: Project, tmp_path: Path) -> None:
    ran = made.digest("site", "--out", str(tmp_path / "a site"))
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'a site' / 'index.html'}\n"), ran.said
    assert "[site] url is not set" in ran.err
    assert "written" in ran.err
    quiet = made.digest("site", "--out", str(tmp_path / "a site"), "--quiet", "--language", "zh")
    assert (quiet.code, quiet.err) == (0, "")
    assert '<html lang="zh">' in (tmp_path / "a site/index.html").read_text("utf-8")


def test_a_relative_folder_counts_from_where_one_stands(made: Project) -> None:
    ran = made.digest("site", "--out", "here", "--quiet")
    assert ran.out == f"{made.folder / 'here' / 'index.html'}\n"


def test_what_cannot_be_built_is_refused_with_what_to_do(
    made: Project, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert_refused(made.digest("site", "--out", str(tmp_path)), 2, "not empty", "--out", most_lines=1)
    assert_refused(made.digest("site", "--language", "fr"), 2, '"fr"', "zh, en", most_lines=1)
    project.configure(local("ada/engine", tmp_path))
    assert_refused(project.digest("site"), 1, "no history", "digest run", most_lines=1)
    assert not (project.data / "site").exists()


def test_a_port_that_is_taken_is_wrong_use(made: Project) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        assert_refused(made.digest("serve", "--port", port), 2, port, "--port", most_lines=1)


@pytest.mark.slow
def test_serve_builds_the_site_where_there_is_none_and_ctrl_c_stops_it(
    project: Project, engine: Path
) -> None:
    project.begin()
    project.configure(local("ada/engine", engine))
    assert project.digest("run", "--day", "2026-01-05", "--quiet").code == 0
    process = project.start("serve", "--port", "0")
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        with closing(HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=10)) as asked:
            asked.request("GET", "/ada/engine/2026-01-05.html")
            answer = asked.getresponse()
            assert (answer.status, b"ada/engine" in answer.read()) == (200, True)
        process.send_signal(signal.SIGINT)
        ran = finished(process)
    finally:
        process.kill()
    assert ran.code == 0
    assert_no_traceback(ran)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[HTTPConnection]:
    """A server of a folder beside which secrets lie."""
    files = {
        "secret.txt": "secret",
        "site/index.html": "start",
        "site/ada/engine/index.html": "repo",
        "site/feeds/ada/engine.en.xml": "<feed/>",
        "site/pagefind/fragment/en_1.pf_fragment": "…",
        "site/app.js": "…",
        "site/.digest-site/manifest.json": "{}",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    (tmp_path / "site/link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "site/up").symlink_to(tmp_path)
    with listen(tmp_path / "site", "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        with closing(HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=10)) as connection:
            yield connection
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/ada/../../secret.txt",
        "/link.txt",
        "/up/secret.txt",
        "/up/",
        "/.digest-site/manifest.json",
        "/%2edigest-site/manifest.json",
        "/ada/",
        "/nowhere",
        "/a%00b",
        "//etc/passwd",
    ],
)
def test_nothing_outside_the_folder_is_given_out_and_no_folder_listed(
    served: HTTPConnection, path: str
) -> None:
    served.request("GET", path)
    answer = served.getresponse()
    assert answer.status == 404
    assert b"secret" not in answer.read().replace(b"secret.txt", b"")


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/ada/engine/", "text/html; charset=utf-8", "no-cache"),
        ("/feeds/ada/engine.en.xml", "application/atom+xml; charset=utf-8", "no-cache"),
        ("/app.js", "text/javascript; charset=utf-8", "no-cache"),
        (
            "/pagefind/fragment/en_1.pf_fragment",
            "application/octet-stream",
            "public, max-age=31536000, immutable",
        ),
    ],
)
def test_files_say_what_they_are_and_how_long_they_hold(
    served: HTTPConnection, path: str, kind: str, kept: str
) -> None:
    served.request("GET", path)
    answer = served.getresponse()
    answer.read()
    assert answer.status == 200
    assert (answer.getheader("Content-Type"), answer.getheader("Cache-Control")) == (kind, kept)
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_a_page_that_did_not_change_is_not_sent_twice(served: HTTPConnection) -> None:
    served.request("GET", "/index.html")
    answer = served.getresponse()
    answer.read()
    served.request(
        "GET", "/index.html", headers={"If-Modified-Since": answer.getheader("Last-Modified") or ""}
    )
    again = served.getresponse()
    assert (again.status, again.read()) == (304, b"")
