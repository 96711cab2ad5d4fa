"""How many connections may be open, and the answer to one more."""

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest

from .process import PATIENCE
from .program import Program

Start = Callable[..., Program]
Logged = Callable[[], list[Any]]
HALF = b"GET / HTTP/1.1\r\n"
BUSY = b"GET /slow?600 HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Yield a stack that closes what a test has opened."""
    with ExitStack() as held:
        yield held


def call(held: ExitStack, listener: socket.socket, data: bytes = HALF) -> socket.socket:
    caller = held.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
    caller.sendall(data)
    return caller


def send_on(caller: socket.socket) -> None:
    while True:
        caller.sendall(b"more")
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("wanted", "descriptors", "most"),
    [(800, None, 800), (800, 1024, 800), (1000, 1024, 824), (800, 256, 128), (5, 256, 5)],
)
def test_descriptors_decide(
    service: ModuleType, logged: Logged, wanted: int, descriptors: int | None, most: int
) -> None:
    assert service.limits.connections(wanted, descriptors) == most
    assert [line["message"] for line in logged()] == [
        f"at most {most} connections instead of {wanted}: "
        f"only {descriptors} file descriptors are allowed"
    ] * (most < wanted)


def test_this_process_has_a_limit(service: ModuleType) -> None:
    assert service.limits.descriptors() > 2


def test_system_without_limits(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert service.limits.descriptors() is None


def test_one_more_is_refused_aloud(start: Start, listener: socket.socket, held: ExitStack) -> None:
    program = start("serve", listener=listener, MAX_CONNECTIONS=16).ready()
    for _ in range(16):
        call(held, listener, BUSY)
    for _ in range(3):  # two may read on, one is closed at once
        response, body = program.get("/")
        assert response.status == 503
        assert response.headers["connection"] == "close"
        assert response.headers["retry-after"] == "1"
        assert json.loads(body) == {"error": "Service Unavailable"}
    program.wait_for("refused a connection: 16 are open")


def test_in_a_crowd_nobody_may_wait_for_long(
    start: Start, listener: socket.socket, held: ExitStack
) -> None:
    program = start("serve", listener=listener, MAX_CONNECTIONS=16, HEAD_SECONDS=3600).ready()
    callers = [call(held, listener) for _ in range(16)]
    program.wait_for("closing a connection")
    assert callers[0].recv(12) == b"HTTP/1.1 408"
    for caller in callers:
        caller.close()
    end = time.monotonic() + PATIENCE
    while program.get("/")[0].status != 200:
        assert time.monotonic() < end


def test_refused_caller_who_stays(start: Start, listener: socket.socket, held: ExitStack) -> None:
    program = start("serve", listener=listener, MAX_CONNECTIONS=8, GRACE_SECONDS=0).ready()
    for _ in range(8):
        call(held, listener, BUSY)
    callers = [call(held, listener) for _ in range(3)]
    for caller in callers:
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # a caller who stays is cut off
            while data := caller.recv(1000):
                answer += data
        assert answer.startswith(b"HTTP/1.1 503")
    with pytest.raises(ConnectionError):  # data is dropped at first, and refused later
        send_on(callers[0])
    for caller in callers:
        caller.close()
    assert program.get("/")[0].status == 503
    program.terminate()
    assert program.ended() == 0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_no_descriptor_left(start: Start, listener: socket.socket, held: ExitStack) -> None:
    import resource

    program = start("serve", listener=listener).ready()
    count = len(os.listdir(f"/proc/{program.process.pid}/fd"))  # noqa: PTH208
    limits = resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (count + 2, limits[1]))
    callers = [call(held, listener) for _ in range(300)]
    program.wait_for("cannot accept: too many open files")
    refused = 0
    for caller in callers[20:]:
        try:
            refused += caller.recv(12) == b"HTTP/1.1 503"
        except ConnectionResetError:
            refused += 1
    assert refused == 280
    assert len(program.output()) < 20_000
    for caller in callers:
        caller.close()
    resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, limits)
    end = time.monotonic() + PATIENCE
    while program.get("/")[0].status != 200:  # the last one may still be refused
        assert time.monotonic() < end
    program.terminate()
    assert program.ended() == 0


def test_many_at_once_take_turns(
    service: ModuleType,
    served: Any,
    listener: socket.socket,
    held: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service.listener, "AT_ONCE", 1)
    callers = [call(held, listener, HALF + b"Host: a\r\n\r\n") for _ in range(5)]
    settings = service.settings.Settings(drain_seconds=0)
    server = service.server.Server(served, settings)
    answers: list[bytes] = []

    async def main_loop() -> None:
        answers.extend([await asyncio.to_thread(caller.recv, 12) for caller in callers])

    server.main_loop = main_loop
    server.run([listener.dup()])
    assert answers == [b"HTTP/1.1 200"] * 5


class Broken:
    """A listening socket that fails with each of `errors`, and then has nobody waiting."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)
        self.opened, self._other = socket.socketpair()

    def accept(self) -> Any:
        raise OSError(self.errors.pop(0) if self.errors else errno.EAGAIN, "Broken")

    def setblocking(self, _: bool) -> None:
        self._other.send(b"somebody waits")

    def fileno(self) -> int:
        return self.opened.fileno()

    def close(self) -> None:
        self.opened.close()
        self._other.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPROTO])
def test_failure_to_accept_is_told_once_and_tried_again(
    service: ModuleType, logged: Logged, number: int
) -> None:
    async def listen() -> None:
        listener = service.listener.Listener(sock, None, set(), 1)
        listener.open()
        while sock.errors:
            await asyncio.sleep(0.01)
        await listener.close()

    sock = Broken(number, number, number)
    asyncio.run(listen())
    sock.close()
    warned = [line for line in logged() if line["log.level"] == "warning"]
    assert {line["message"] for line in warned} == {"cannot accept: broken"}
    assert len(warned) <= 3


def test_what_asyncio_cannot_tell_is_one_line(service: ModuleType, logged: Logged) -> None:
    context = {"message": "Fatal\nprotocol: <at 0x7f>", "exception": ValueError("why")}
    service.server._unexpected(None, context)
    [line] = logged()
    assert line["message"] == "unexpected: Fatal"
    assert line["error"]["message"] == "why"
    assert logging.getLevelName(line["log.level"].upper()) == logging.ERROR
