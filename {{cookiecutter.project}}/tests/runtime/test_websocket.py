"""WebSockets: what callers, the program, the log and the metrics get to know of them."""

import base64
import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from types import ModuleType
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .process import PATIENCE, short_folder
from .program import Program
from .test_connection import LATE, Caller

Start = Callable[..., Program]
Logged = Callable[[], list[Any]]
Call = Callable[..., ClientConnection]
CLOSE = b"\x88\x02\x03\xf4"
"""The message that the service restarts, code 1012."""


@pytest.fixture
def call() -> Iterator[Call]:
    """Return a function that opens a WebSocket: ``call(program, "/echo")``."""
    with ExitStack() as opened:

        def call(program: Program, path: str, **options: Any) -> ClientConnection:
            host, port = program.address
            patience = {"open_timeout": PATIENCE, "close_timeout": PATIENCE}
            made = connect(f"ws://{host}:{port}{path}", **(patience | options))
            return opened.enter_context(made)

        yield call


def closed(caller: ClientConnection) -> int | None:
    """Wait until the service has closed it, and return the code."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            caller.recv(PATIENCE)
    return caller.close_code


def access_lines(program: Program) -> list[Any]:
    return [line for line in program.lines() if line["log"]["logger"].endswith(".access")]


# --- how it goes on -----------------------------------------------------------------------------


def test_messages_go_both_ways(start: Start, listener: socket.socket, call: Call) -> None:
    program = start("serve", listener=listener).ready()
    caller = call(program, "/echo", additional_headers={"X-Request-ID": "r1"})
    assert caller.response is not None
    assert caller.response.headers["x-request-id"] == "r1"
    for text in ("ü", "", "x" * 1_000_000):
        caller.send(text)
        assert caller.recv(PATIENCE) == text
    metrics = program.get("/metrics")[1].decode()
    assert "\nwebsockets_open 1.0\n" in metrics
    caller.close(1001)
    line = program.wait_for("GET /echo")
    assert line["message"] == "GET /echo 101 closed with 1001"
    assert line["http"]["request"] == {"id": "r1", "method": "GET"}
    assert line["http"]["response"] == {"status_code": 101}
    assert program.wait_for("left with 1001")["http"]["request"]["id"] == "r1"
    metrics = program.get("/metrics")[1].decode()
    assert "\nwebsockets_open 0.0\n" in metrics
    assert 'http_requests_total{method="GET",route="/echo",status="101"} 1.0\n' in metrics
    assert 'http_request_duration_seconds_count{method="GET",route="/echo"}' not in metrics


def test_program_may_refuse(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    for path in ("/unwilling?0", "/nothing"):
        assert upgrade(program, path) == 403
        program.wait_for(f"GET {path.partition('?')[0]} 403")


def upgrade(program: Program, path: str, *, method: str = "GET", key: bool = True) -> int:
    """Ask for a WebSocket, and return the status."""
    with closing(program.connect()) as connection:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        if key:
            headers["Sec-WebSocket-Key"] = base64.b64encode(bytes(16)).decode()
        connection.request(method, path, headers=headers)
        return connection.getresponse().status


def test_what_is_no_request_for_a_websocket(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    assert upgrade(program, "/echo") == 101
    assert upgrade(program, "/echo", key=False) == 400
    assert upgrade(program, "/count", method="POST") == 200
    with closing(program.connect()) as connection:
        connection.request("GET", "/", headers={"Connection": "Upgrade", "Upgrade": "h2c"})
        assert connection.getresponse().read() == b"hello"
    too_many = "".join(f"x{number}: 1\r\n" for number in range(200))
    assert raw(program, f"{HANDSHAKE}{too_many}\r\n").startswith(b"HTTP/1.1 431 ")
    assert program.get("/")[0].status == 200
    assert not [line for line in program.lines() if line["log.level"] in {"warning", "error"}]


HANDSHAKE = (
    "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


def raw(program: Program, text: str, data: bytes = b"") -> bytes:
    """Send a head and `data`, and return all that comes until the end."""
    answer = b""
    with socket.create_connection(program.address, PATIENCE) as caller:
        caller.sendall(text.encode() + data)
        while got := caller.recv(10_000):
            answer += got
    return answer


@pytest.mark.parametrize("path", ["/echo", "/unwilling?600"], ids=["accepted", "not yet"])
def test_data_that_is_no_message(start: Start, listener: socket.socket, path: str) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=0).ready()
    with socket.create_connection(program.address, PATIENCE) as caller:
        caller.sendall(HANDSHAKE.replace("/echo", path).encode() + b"\r\n")
        if path == "/echo":
            assert caller.recv(12) == b"HTTP/1.1 101"
        else:
            program.wait_for("begun")
        caller.sendall(b"\xff" * 100)
        while caller.recv(10_000):
            pass
    assert program.get("/")[0].status == 200
    assert not [line for line in program.lines() if line["log.level"] in {"warning", "error"}]


def test_message_that_is_too_large(start: Start, listener: socket.socket, call: Call) -> None:
    program = start("serve", listener=listener, MAX_MESSAGE_BYTES=1000).ready()
    caller = call(program, "/echo")
    caller.send("x" * 1000)
    assert caller.recv(PATIENCE) == "x" * 1000
    caller.send("x" * 1001)
    assert closed(caller) == 1009
    program.wait_for("GET /echo 101 closed with 1009")


def test_program_that_fails(start: Start, listener: socket.socket, call: Call) -> None:
    program = start("serve", listener=listener).ready()
    assert upgrade(program, "/broken") == 500
    program.wait_for("GET /broken 500")
    caller = call(program, "/broken?1")
    caller.send("x")
    assert closed(caller) == 1011
    program.wait_for("GET /broken 101 closed with 1011")
    assert "handshake" not in program.output()
    failures = [line for line in program.lines() if line["log.level"] == "error"]
    assert [line["error"]["type"] for line in failures] == ["LookupError"] * 2


def test_they_count_as_connections(start: Start, listener: socket.socket, call: Call) -> None:
    program = start("serve", listener=listener, MAX_CONNECTIONS=2).ready()
    callers = [call(program, "/echo") for _ in range(2)]
    assert program.get("/")[0].status == 503
    callers[0].close()
    program.wait_for("GET /echo 101")
    end = time.monotonic() + PATIENCE
    while program.get("/")[0].status != 200:
        assert time.monotonic() < end


def test_health_socket_takes_none(
    start: Start, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_folder() as folder:
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
        program = start("serve", "--hold", listener=listener)
        program.wait_for("held")
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(PATIENCE)
            caller.connect(str(folder / "health.sock"))
            caller.sendall(f"{HANDSHAKE}\r\n".encode())
            assert caller.recv(12) == b"HTTP/1.1 404"


def test_library_that_is_not_installed(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    find = service.connection.websocket_class.__wrapped__
    assert find().__name__ == "WebSocket"
    monkeypatch.setattr(service.connection, "find_spec", lambda _: None)
    assert find() is None
    line = "no WebSockets: the module 'websockets' is not installed"
    assert [each["message"] for each in logged()] == [line]


# --- how long a caller may be silent -------------------------------------------------------------


@pytest.fixture
def path() -> str:
    """Return where the caller below has a WebSocket."""
    return "/echo"


@pytest.fixture
def caller(service: ModuleType, served: Any, path: str) -> Iterator[Caller]:
    """Yield a caller with a WebSocket, whose time is a number."""
    made = Caller(service, served)
    made.send(HANDSHAKE.replace("/echo", path).encode() + b"\r\n")
    assert made.wire.sent.startswith(b"HTTP/1.1 101 ")
    made.connection, made.wire.sent = made.wire.protocol, b""
    yield made
    made.close()


def framed(text: str) -> bytes:
    """Return a message as a caller sends it."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text.encode()


def test_quiet_caller_may_stay(caller: Caller) -> None:
    assert caller.look(1)
    assert caller.look(LATE)


def test_silent_caller_is_asked_for_a_sign_of_life(caller: Caller) -> None:
    caller.connection.send_keepalive_ping()
    assert caller.wire.sent[0] == 0x89
    assert caller.look(30)
    caller.send(framed("x"))
    assert caller.look(70)
    caller.connection.send_keepalive_ping()
    assert caller.look(129)
    caller.connection.send_keepalive_ping()
    assert not caller.look(131)
    assert caller.wire.aborted


@pytest.mark.parametrize("path", ["/absent"])
def test_program_may_let_a_message_wait(caller: Caller) -> None:
    caller.send(framed("x") * 3)
    assert not caller.wire.reading
    caller.connection.send_keepalive_ping()
    assert caller.look(1)
    assert caller.look(LATE)


def test_message_that_is_not_taken(caller: Caller) -> None:
    for second in range(0, 500, 50):
        caller.wire.unsent = 1000 - second
        assert caller.look(second)
    assert not caller.look(510)
    assert caller.wire.aborted


def test_caller_who_does_not_close(caller: Caller) -> None:
    caller.connection.close()
    assert caller.wire.ended
    assert caller.wire.sent == CLOSE
    caller.send(framed("x"))
    caller.look(1)
    caller.look(2.9)
    assert not caller.wire.aborted
    caller.look(3.1)
    assert caller.wire.aborted


def test_pause_ends_it_only_during_a_stop(caller: Caller) -> None:
    for second in (0, 1, 3, 5):
        caller.send(framed("x"))
        assert caller.look(second, pause=2.5)
    assert caller.look(7, pause=2.5)
    assert caller.look(8, pause=2.5, since=caller.began + 7)
    assert caller.wire.sent == b"\x81\x01x" * 4
    caller.look(10, pause=2.5, since=caller.began + 7)
    assert caller.wire.sent.endswith(b"\x81\x01x" + CLOSE)


# --- how it stops -------------------------------------------------------------------------------


def test_stop_says_that_the_service_restarts(
    start: Start, listener: socket.socket, call: Call
) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=3600).ready()
    caller = call(program, "/echo")
    caller.send("x")
    assert caller.recv(PATIENCE) == "x"
    program.terminate()
    assert closed(caller) == 1012
    assert program.ended() == 0
    program_left = [line["message"] for line in program.lines()]
    assert "left with 1012" in program_left
    assert "GET /echo 101 closed with 1012" in program_left


def test_message_in_work_is_answered(start: Start, listener: socket.socket, call: Call) -> None:
    settings = {"GRACE_SECONDS": 3600, "DRAIN_SECONDS": 0}
    program = start("serve", listener=listener, **settings).ready()
    caller = call(program, "/echo?1")
    caller.send("x")
    program.wait_for("received")
    program.terminate()
    assert caller.recv(PATIENCE) == "x"
    assert closed(caller) == 1012
    assert program.ended() == 0


@pytest.mark.parametrize("path", ["/ticker", "/absent"])
def test_what_goes_on_ends_with_the_grace(
    start: Start, listener: socket.socket, call: Call, path: str
) -> None:
    settings = {"GRACE_SECONDS": 1, "DRAIN_SECONDS": 0}
    program = start("serve", listener=listener, **settings).ready()
    caller = call(program, path)
    program.get("/")
    began = time.monotonic()
    program.terminate()
    assert closed(caller) == 1012
    assert time.monotonic() - began > 0.9
    assert program.ended() == 0
    program.wait_for(f"GET {path} 101 closed with 1012")
    assert "Traceback" not in program.output()


def test_answer_that_does_not_come_within_the_grace(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=0).ready()
    with socket.create_connection(program.address, PATIENCE) as caller:
        caller.sendall(HANDSHAKE.replace("/echo", "/unwilling?600").encode() + b"\r\n")
        program.wait_for("begun")
        program.terminate()
        answer = b""
        while data := caller.recv(10_000):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body)["error"] == "Service Unavailable"
    assert program.ended() == 0


def test_request_that_comes_during_the_stop(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with socket.create_connection(program.address, PATIENCE) as caller:
        program.get("/")  # so that the connection above has been accepted
        program.terminate()
        caller.sendall(f"{HANDSHAKE}\r\n".encode())
        answer = caller.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"connection: close" not in answer.lower()
        while not answer.endswith(CLOSE):
            answer += caller.recv(10_000) or pytest.fail("no close")
    assert program.ended() == 0


def test_caller_who_does_not_answer_the_close(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=1, DRAIN_SECONDS=0).ready()
    with socket.create_connection(program.address, PATIENCE) as caller:
        caller.sendall(f"{HANDSHAKE}\r\n".encode())
        assert caller.recv(12) == b"HTTP/1.1 101"
        program.terminate()
        assert program.ended() == 0
