"""``check`` against a real server on loopback."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import ModuleType

import pytest
from click.testing import Result

from .process import short_folder

Run = Callable[..., Result]


def report(status: str, release: str) -> bytes:
    return json.dumps({"status": status, "release": release}).encode()


READY = (200, report("ready", "1.0+new"))
OLD = (200, report("ready", "1.0+old"))
UNREADY = (503, b'{"status": "not ready", "release": "1", "reason": "no database"}')
STOPPING = (503, report("stopping", "1.0+old"))


class Stub(HTTPServer):
    """Give each of `answers` once, and the last one from then on."""

    answers: list[tuple[int, bytes]]
    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(("127.0.0.1", 0), Handler) as server:
        server.answers, server.asked = [READY], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_ready(run: Run, stub: Stub) -> None:
    result = run("check", "--url", stub.url)
    assert (result.exit_code, result.output) == (0, "ready: 1.0+new\n")
    assert stub.asked == ["/readyz"]


def test_url_may_have_a_path(run: Run, stub: Stub) -> None:
    assert run("check", "--url", f"{stub.url}/prefix/").exit_code == 0
    assert stub.asked == ["/prefix/readyz"]


def test_right_release(run: Run, stub: Stub) -> None:
    assert run("check", "--url", stub.url, "--release", "1.0+new").exit_code == 0


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (OLD, "release is 1.0+old, expected 1.0+new"),
        (STOPPING, "not ready: 503 stopping"),
        (UNREADY, "not ready: 503 not ready: no database"),
        ((200, b"<html>"), "not ready: 200 from {url}, and not from this program"),
        ((502, b"\xff"), "not ready: 502 from {url}, and not from this program"),
        ((200, b"[]"), "not ready: 200 from {url}, and not from this program"),
        ((200, b"{}"), "not ready: 200 from {url}, and not from this program"),
    ],
)
def test_one_try(run: Run, stub: Stub, answer: tuple[int, bytes], line: str) -> None:
    stub.answers = [answer]
    result = run("check", "--url", stub.url, "--release", "1.0+new")
    assert (result.exit_code, result.output) == (1, line.format(url=stub.url) + "\n")
    assert len(stub.asked) == 1


def test_waits_until_ready_as_the_right_release(run: Run, stub: Stub) -> None:
    stub.answers = [STOPPING, OLD, READY]
    result = run("check", "--url", stub.url, "--release", "1.0+new", "--wait", "10")
    assert (result.exit_code, result.output) == (0, "ready: 1.0+new\n")
    assert len(stub.asked) == 3


def test_gives_up_with_what_it_saw_last(run: Run, stub: Stub) -> None:
    stub.answers = [STOPPING, OLD]
    began = time.monotonic()
    result = run("check", "--url", stub.url, "--release", "1.0+new", "--wait", "0.3")
    assert (result.exit_code, result.output) == (1, "release is 1.0+old, expected 1.0+new\n")
    assert len(stub.asked) >= 2
    assert time.monotonic() - began < 1


def test_silence(run: Run, listener: socket.socket) -> None:
    # a socket that systemd holds accepts callers while nothing serves: each try must end
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    began = time.monotonic()
    result = run("check", "--url", url, "--wait", "0.2")
    assert time.monotonic() - began < 2
    assert (result.exit_code, result.output) == (1, f"no answer from {url}: timed out\n")


@pytest.mark.parametrize(
    "url",
    ["localhost:80", "ftp://a", "http://", "http://a:b", "http://[a", "unix:a", "unix://a/b"],
)
def test_wrong_url(run: Run, url: str) -> None:
    result = run("check", "--url", url)
    assert (result.exit_code, result.output) == (
        2,
        f"error: --url is {url!r}: expected http://HOST:PORT or unix:/PATH\n",
    )


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ((200, report("ready", "1.0\n\x1b[2J\u2028x")), "release is 1.0??[2J?x, expected 1.0+new"),
        ((503, report("a\rb", "1.0+new")), "not ready: 503 a?b"),
        ((200, report("ready", "x" * 1000)), f"release is {'x' * 289}..."),
    ],
)
def test_answer_cannot_control_what_is_printed(
    run: Run, stub: Stub, answer: tuple[int, bytes], line: str
) -> None:
    stub.answers = [answer]
    result = run("check", "--url", stub.url, "--release", "1.0+new")
    assert (result.exit_code, result.output) == (1, line + "\n")
    assert run("check", "--url", stub.url).output.count("\n") == 1


def test_no_http(run: Run, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def answer() -> None:
        with listener.accept()[0] as caller:
            caller.recv(1000)
            caller.sendall(b"\x1b[2J what\r\n")

    with answering(answer):
        result = run("check", "--url", url)
    assert (result.exit_code, result.output) == (1, f"no answer from {url}: ?[2j what\n")


def test_byte_now_and_then(run: Run, listener: socket.socket) -> None:
    # each byte is in time, the answer is not
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    over = threading.Event()

    def answer() -> None:
        with listener.accept()[0] as caller, contextlib.suppress(OSError):
            while not over.wait(0.01):
                caller.sendall(b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n")

    with answering(answer):
        result = run("check", "--url", url, "--wait", "0.2")
        over.set()
    assert (result.exit_code, result.output) == (1, f"no answer from {url}: timed out\n")


@contextlib.contextmanager
def answering(answer: Callable[[], None]) -> Iterator[None]:
    """Run `answer` in a thread while the block runs."""
    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()


def test_unix_socket_that_is_not_there(run: Run) -> None:
    result = run("check", "--url", "unix:/nowhere/health.sock")
    line = "no answer from unix:/nowhere/health.sock: no such file or directory\n"
    assert (result.exit_code, result.output) == (1, line)


def test_unix_socket_that_nobody_reads(run: Run) -> None:
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as sock:
        path = folder / "health.sock"
        sock.bind(str(path))
        sock.listen()
        result = run("check", "--url", f"unix:{path}", "--wait", "0.2")
    assert (result.exit_code, result.output) == (1, f"no answer from unix:{path}: timed out\n")


def test_unix_path_that_is_too_long(run: Run) -> None:
    path = "/" + "x" * 200
    result = run("check", "--url", f"unix:{path}")
    line = f"no answer from unix:{path}: af_unix path too long\n"
    assert (result.exit_code, result.output) == (1, line)


def test_cut_before_the_connection(service: ModuleType) -> None:
    service.check._cut(service.check.UnixConnection("/nowhere", 1), threading.Event())
