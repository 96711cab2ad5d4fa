"""A stop by SIGTERM fails no request: the reason why the server is not simply uvicorn's."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest

from .load import enough, under_load
from .program import Program

Start = Callable[..., Program]


def test_request_in_flight_is_finished(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/slow?0.8")
        program.wait_for("begun")
        program.terminate()
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"done")
        assert response.headers["connection"] == "close"
    assert program.ended() == 0


def test_answer_half_sent_is_finished(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/stream?0.2")
        program.wait_for("begun")
        program.terminate()
        assert connection.getresponse().read() == b"halfdone"
    assert program.ended() == 0


def test_request_over_its_grace_is_given_up(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=0).ready()
    connect = program.connect
    with closing(connect()) as whole, closing(connect()) as half, closing(connect()) as idle:
        whole.request("GET", "/slow?60", headers={"X-Request-ID": "r1"})
        half.request("GET", "/stream?60")
        half.getresponse()
        program.wait_for("begun")
        program.terminate()
        response = whole.getresponse()
        assert response.status == 503
        assert response.read() == b'{"error":"Service Unavailable","request_id":"r1"}'
        assert idle.sock.recv(1) == b""
    assert program.ended() == 0
    lines = {line["message"].partition(":")[0]: line for line in program.lines()}
    assert lines["given up"]["http"]["request"]["id"] == "r1"
    assert list(lines)[-1] == "stopped"


@pytest.mark.parametrize("used_before", [False, True], ids=["just accepted", "kept alive"])
def test_connection_without_a_request_may_still_send_one(
    start: Start, listener: socket.socket, used_before: bool
) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        if used_before:
            connection.request("GET", "/")
            response = connection.getresponse()
            response.read()
            assert "connection" not in response.headers
        else:
            program.get("/")  # so that the connection above has been accepted
        program.terminate()
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["connection"] == "close"
        response.read()
    assert program.ended() == 0


def test_not_ready_while_stopping(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        program.get("/")
        program.terminate()
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        assert response.status == 503
        assert json.loads(response.read())["status"] == "stopping"


def test_idle_connection_is_closed_after_a_moment(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        program.get("/")
        program.terminate()
        began = time.monotonic()
        assert connection.sock.recv(1) == b""
        assert 1 < time.monotonic() - began < 10
    assert program.ended() == 0


def test_request_half_received_is_waited_for(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: half\r\n")
        program.get("/")
        program.terminate()
        time.sleep(0.7)  # longer than a silent connection is kept
        connection.sock.sendall(b"\r\n")
        assert connection.sock.recv(15) == b"HTTP/1.1 200 OK"
    assert program.ended() == 0


def test_idle_connection_is_closed_at_once_where_callers_wait(
    start: Start, listener: socket.socket
) -> None:
    # no other process accepts, so callers wait for as long as the stop takes
    program = start("serve", listener=listener, DRAIN_SECONDS=3600, GRACE_SECONDS=3600).ready()
    with closing(program.connect()), closing(program.connect()) as another:
        program.get("/")
        program.terminate()
        with closing(program.connect()):
            assert program.ended() == 0
            assert another.sock.recv(1) == b""


def test_request_half_received_is_not_waited_for_without_end(
    start: Start, listener: socket.socket
) -> None:
    program = start("serve", listener=listener, DRAIN_SECONDS=1, GRACE_SECONDS=3600).ready()
    with closing(program.connect()) as connection:
        connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: half\r\n")
        program.get("/")
        program.terminate()
        assert connection.sock.recv(12) == b"HTTP/1.1 408"
        assert program.ended() == 0


def test_body_half_received_is_not_waited_for_without_end(
    start: Start, listener: socket.socket
) -> None:
    settings = {"HEAD_SECONDS": 1, "STALL_SECONDS": 3600, "GRACE_SECONDS": 3600}
    program = start("serve", listener=listener, **settings).ready()
    with closing(program.connect()) as connection:
        connection.putrequest("POST", "/upload")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"half")
        program.wait_for("begun")
        program.terminate()
        assert connection.sock.recv(12) == b"HTTP/1.1 408"
        assert program.ended() == 0


def test_answer_is_not_lost_to_what_came_after_its_request(
    start: Start, listener: socket.socket
) -> None:
    # closing a socket with unread data resets the connection
    program = start("serve", listener=listener).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/slow?0.5")
        program.wait_for("begun")
        connection.sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        program.terminate()
        answer = b""
        while data := connection.sock.recv(1000):
            answer += data
        assert answer.count(b"HTTP/1.1") == 1
        assert answer.endswith(b"done")
    assert program.ended() == 0


@pytest.mark.parametrize("turns", range(6))
def test_connections_being_accepted_are_answered_or_left(
    service: ModuleType, served: Any, listener: socket.socket, turns: int
) -> None:
    # asyncio takes several turns of its loop to accept: one client comes in at each of them
    clients: list[socket.socket] = []
    settings = service.settings.Settings(grace_seconds=5)
    server = service.server.Server(served, settings, service.server.Start(shared=True))

    async def arrive() -> None:
        for _ in range(turns + 10):
            clients.append(socket.create_connection(listener.getsockname(), timeout=1))
            clients[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0)

    async def main_loop() -> None:
        server.arriving = asyncio.create_task(arrive())
        for _ in range(turns):
            await asyncio.sleep(0)

    server.main_loop = main_loop
    server.run([listener.dup()])
    left = queued(listener)
    assert left, "none came after the stop"
    for client in clients:
        with client:
            if client.getsockname() not in left:
                assert client.recv(15) == b"HTTP/1.1 200 OK"


def queued(listener: socket.socket) -> set[tuple[str, int]]:
    """Accept and close all waiting connections, and return their addresses."""
    listener.setblocking(False)
    found = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, address = listener.accept()
            connection.close()
            found.add(address)
    return found


def test_restart_under_load_fails_no_request(start: Start, listener: socket.socket) -> None:
    counts = []
    programs = [start("serve", listener=listener, LOG_LEVEL="error")]
    with under_load(listener.getsockname()) as loads:
        for _ in range(2):
            counts.append(enough(loads))
            programs[-1].process.terminate()
            assert programs[-1].ended() == 0
            programs.append(start("serve", listener=listener, LOG_LEVEL="error"))
        counts.append(enough(loads))
    assert all(later > sooner for sooner, later in pairwise(counts))


def test_second_interrupt_ends_it_at_once(service: ModuleType, served: Any) -> None:
    server = service.server.Server(served, service.settings.Settings())
    server.handle_exit(2, None)
    assert (server.should_exit, server.force_exit) == (True, False)
    server.handle_exit(2, None)
    assert server.force_exit
