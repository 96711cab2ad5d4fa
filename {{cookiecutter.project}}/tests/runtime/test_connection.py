"""Callers who are slow, silent or gone: what each connection waits for, and for how long.

The tests pass the time as a number, so that none depends on how fast the machine is.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from .process import PATIENCE

HEAD = b"Host: a\r\n\r\n"
GET = b"GET / HTTP/1.1\r\n" + HEAD
LATE = 1e9
"""Later than every limit."""


class Wire(asyncio.Transport):
    """A transport that keeps what is sent, and reports `unsent` bytes of it as not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.unsent = b"", 0
        self.parts: list[bytes] = []
        self.ended = self.aborted = self.gone = False
        self.reading = True
        self.socket, self.other = socket.socketpair()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: Any) -> None:
        self.sent += data
        self.parts.append(bytes(data))

    def write_eof(self) -> None:
        if self.gone:
            raise BrokenPipeError
        self.ended = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Caller:
    """A connection, and the caller at its other end."""

    def __init__(self, service: ModuleType, served: Any) -> None:
        self.loop = asyncio.new_event_loop()
        server = service.server.Server(served, service.settings.Settings())
        server.config.load()
        self.state = server.server_state
        self.wire = Wire()
        self.limits = service.limits.Patience(head=10, stall=60)
        self.connection = service.connection.Connection(server.config, self.state, {}, self.loop)
        self.connection.connection_made(self.wire)
        self.began = self.loop.time()

    def send(self, data: bytes) -> None:
        """Send `data`, and let the application work on it."""

        async def deliver() -> None:
            self.connection.data_received(data)
            for _ in range(20):
                await asyncio.sleep(0)

        self.loop.run_until_complete(deliver())

    def look(self, seconds: float, **other: float) -> bool:
        """Look at the connection `seconds` after the start; return whether it is open."""
        patience = type(self.limits)(**{"head": 10, "stall": 60, **other})
        self.connection.look(self.began + seconds, patience)
        return not (self.wire.ended or self.wire.aborted)

    def close(self) -> None:
        self.connection.connection_lost(None)
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                self.loop.run_until_complete(task)
        self.loop.close()
        self.wire.socket.close()
        self.wire.other.close()


@pytest.fixture
def caller(service: ModuleType, served: Any) -> Iterator[Caller]:
    """Yield a caller with an open connection."""
    made = Caller(service, served)
    yield made
    made.close()


@pytest.fixture
def route(app: Starlette) -> Callable[[Any], None]:
    """Return a function that replaces the application's answer at /."""

    def route(answer: Any) -> None:
        app.router.routes.clear()
        app.add_route("/", answer, methods=["GET", "POST"])

    return route


async def forever(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def patient(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def half(_: Request) -> Response:
    async def halves() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.Event().wait()

    return StreamingResponse(halves())


def test_silence(caller: Caller) -> None:
    assert caller.look(9)
    assert not caller.look(11)
    assert caller.wire.aborted
    assert caller.wire.sent == b""


def test_half_a_head(caller: Caller) -> None:
    caller.send(GET[:5])
    assert caller.look(9)
    caller.send(GET[5:20])  # a byte now and then does not help
    assert not caller.look(11)
    assert caller.wire.sent.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in caller.wire.sent
    assert caller.wire.ended
    caller.send(GET[20:])  # too late
    assert caller.wire.sent.count(b"HTTP/1.1") == 1


def test_each_head_has_its_own_time(caller: Caller) -> None:
    for second in range(0, 100, 5):
        caller.send(GET + GET[:5])
        assert caller.look(second)
        caller.send(GET[5:])
        assert caller.look(second)
    assert caller.wire.sent.count(b"HTTP/1.1 200") == 40


def test_idle_connection(caller: Caller) -> None:
    caller.send(GET)
    assert caller.look(1)
    assert caller.look(74, idle=75)
    assert caller.look(10, idle=5, since=caller.began + 9998)
    assert not caller.look(10005, idle=5, since=caller.began + 9998)
    assert caller.wire.ended


def test_head_and_body_are_sent_together(caller: Caller, route: Callable[[Any], None]) -> None:
    route(patient)
    for body in (b"", b"x", b"y" * 1000):
        head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n" % len(body) + HEAD
        caller.send(head + body)
        [answer] = caller.wire.parts
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n" + body)
        caller.wire.parts.clear()


def test_large_body_is_not_copied(caller: Caller, route: Callable[[Any], None]) -> None:
    large = b"x" * 100_000

    async def answer(_: Request) -> Response:
        return PlainTextResponse(large)

    route(answer)
    caller.send(GET)
    head, body = caller.wire.parts
    assert head.endswith(b"\r\n\r\n")
    assert body == large


def test_head_does_not_wait_for_a_late_body(caller: Caller, route: Callable[[Any], None]) -> None:
    async def late() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b"never"

    async def answer(_: Request) -> Response:
        return StreamingResponse(late())

    route(answer)
    caller.send(GET)
    assert caller.wire.sent.startswith(b"HTTP/1.1 200")
    assert caller.wire.sent.endswith(b"\r\n\r\n")


def test_head_that_waits_is_sent_before_the_close(caller: Caller) -> None:
    outgoing = caller.connection.transport
    outgoing.write(b"HTTP/1.1 200 OK\r\n")
    assert (caller.wire.sent, outgoing.get_write_buffer_size()) == (b"", 17)
    outgoing.close()
    assert (caller.wire.sent, caller.wire.ended) == (b"HTTP/1.1 200 OK\r\n", True)
    assert outgoing.get_write_buffer_size() == 0


def test_pause_within_a_head(caller: Caller) -> None:
    caller.send(GET[:5])
    assert caller.look(0, pause=2)
    assert caller.look(1.9, pause=2)
    caller.send(GET[5:6])
    assert caller.look(3.8, pause=2)
    assert caller.look(5.9, pause=2, since=caller.began + 5)
    assert not caller.look(7, pause=2, since=caller.began + 5)


def test_application_may_take_its_time(caller: Caller, route: Callable[[Any], None]) -> None:
    route(forever)
    caller.send(GET)
    assert caller.look(1)
    assert caller.look(LATE)


def test_body_that_stalls(caller: Caller, route: Callable[[Any], None]) -> None:
    route(patient)
    caller.send(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n" + HEAD)
    for second in range(0, 500, 50):
        caller.send(b"x")
        assert caller.look(second)
    assert not caller.look(511)
    assert caller.wire.sent.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    caller.send(b"x")
    assert not caller.state.tasks, "the application still waits"


def test_body_that_the_application_does_not_take(
    caller: Caller, route: Callable[[Any], None]
) -> None:
    route(forever)
    caller.send(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n" + HEAD + b"x" * 100_000)
    assert not caller.wire.reading
    assert caller.look(1)
    assert caller.look(LATE)


def test_body_that_waits_to_be_asked_for(caller: Caller, route: Callable[[Any], None]) -> None:
    route(forever)
    caller.send(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n" + HEAD)
    assert caller.look(1)
    assert caller.look(LATE)


def test_body_after_its_answer(caller: Caller) -> None:
    caller.send(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n" + HEAD)
    assert caller.wire.sent.startswith(b"HTTP/1.1 405")
    assert caller.look(1)
    assert caller.look(10)
    assert not caller.look(11)
    assert caller.wire.ended


def test_answer_that_is_not_taken(caller: Caller, route: Callable[[Any], None]) -> None:
    route(half)
    caller.send(GET)
    for second in range(0, 500, 50):
        caller.wire.unsent = 1000 - second
        assert caller.look(second)
    assert not caller.look(510)
    assert caller.wire.aborted


def test_answer_that_only_the_kernel_gets_rid_of(caller: Caller) -> None:
    caller.send(GET)
    caller.wire.unsent = 1000
    assert caller.look(0)
    caller.wire.socket.sendall(bytes(1000))
    assert caller.look(59)
    caller.wire.other.recv(1000)
    assert caller.look(118)
    assert not caller.look(178)


@pytest.mark.parametrize("descriptor", [-1, 1_000_000])
def test_no_socket_no_queue(service: ModuleType, descriptor: int) -> None:
    assert service.connection._queued(descriptor) == 0


def test_windows_cannot_tell(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.connection.sys, "platform", "win32")
    assert service.connection._queued(0) == 0


def test_caller_who_does_not_close(caller: Caller) -> None:
    caller.send(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HEAD)
    assert caller.wire.ended
    caller.send(GET * 100)
    caller.look(1)
    caller.look(2.9)
    assert not caller.wire.aborted
    caller.look(3.1)
    assert caller.wire.aborted
    assert caller.wire.sent.count(b"HTTP/1.1") == 1


def test_caller_who_is_gone(caller: Caller) -> None:
    caller.wire.gone = True
    caller.send(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HEAD)
    assert caller.wire.aborted


def test_close_comes_once(caller: Caller) -> None:
    caller.connection.close()
    caller.wire.ended = False
    caller.connection.close()
    caller.connection.transport.pause_reading()
    caller.connection.transport.write(b"more")
    assert (caller.wire.ended, caller.wire.reading, caller.wire.sent) == (False, True, b"")


@pytest.mark.parametrize(
    "wrong", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000]
)
def test_no_http(caller: Caller, wrong: bytes) -> None:
    caller.send(wrong)
    assert caller.wire.sent.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert caller.wire.sent.endswith(b'{"error": "Bad Request"}')
    assert caller.wire.ended


def test_no_http_after_half_an_answer(caller: Caller, route: Callable[[Any], None]) -> None:
    route(half)
    caller.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD)
    caller.send(b"what?\r\n")
    assert caller.wire.ended
    assert b" 400 " not in caller.wire.sent
    assert not caller.state.tasks


def test_less_patience_in_a_crowd(service: ModuleType) -> None:
    patience = service.limits.Patience(head=10, stall=60).in_a_crowd()
    assert (patience.head, patience.idle, patience.linger, patience.stall) == (2, 5, 0.5, 60)


class Accepted(asyncio.Protocol):
    """Tell what option the socket of a caller has."""

    def __init__(self) -> None:
        self.option: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")  # closed when this returns, or soon after
        self.option.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        transport.close()


def test_answers_are_sent_at_once(service: ModuleType, listener: socket.socket) -> None:
    async def option() -> int:
        protocol = Accepted()
        accepting = service.listener.Listener(listener, lambda: protocol, set(), 1)
        accepting.open()
        with socket.create_connection(listener.getsockname()):
            found = await asyncio.wait_for(protocol.option, PATIENCE)
        await accepting.close()
        return found

    assert asyncio.run(option())
