"""Streams of events and large uploads: they go on, in constant memory, and end with the grace."""

import http.client
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from .program import Program

Start = Callable[..., Program]
MEBIBYTE = 2**20
FLAT = 64 * MEBIBYTE
"""How much memory more than before an upload may take, however large it is."""


def test_events_go_on_until_the_grace_ends(start: Start, listener: socket.socket) -> None:
    settings = {"GRACE_SECONDS": 2, "STALL_SECONDS": 1, "HEAD_SECONDS": 1, "DRAIN_SECONDS": 0}
    program = start("serve", listener=listener, **settings).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.headers["content-type"].startswith("text/event-stream")
        end = time.monotonic() + 3  # longer than a caller may stall
        while time.monotonic() < end:
            assert response.readline().startswith((b"data: ", b"\n"))
        program.terminate()
        began = time.monotonic()
        seen = response.read()  # a stream that is cut raises IncompleteRead
        assert time.monotonic() - began > 1.5
    assert seen.endswith(b"\n\n")
    assert program.ended() == 0
    program.wait_for("ended a stream of events after the grace period")
    program.wait_for("GET /events 200")
    assert "Traceback" not in program.output()


def test_any_other_answer_is_seen_to_be_cut(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=0).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/stream?600")
        response = connection.getresponse()
        program.wait_for("begun")
        program.terminate()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    assert program.ended() == 0


def test_events_nobody_takes(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, STALL_SECONDS=1).ready()
    with closing(socket.socket()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        caller.connect(program.address)
        caller.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("the answer is not taken")
    program.wait_for("GET /flood 200")


def post(program: Program, path: str, length: int) -> http.client.HTTPConnection:
    """Begin an upload."""
    connection = program.connect()
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", str(length))
    connection.endheaders()
    return connection


def test_slow_upload_goes_on_through_a_stop(start: Start, listener: socket.socket) -> None:
    settings = {"GRACE_SECONDS": 3600, "STALL_SECONDS": 2, "HEAD_SECONDS": 2, "DRAIN_SECONDS": 0}
    program = start("serve", listener=listener, **settings).ready()
    with closing(post(program, "/count", 40)) as connection:
        for number in range(40):
            connection.send(b"x")
            time.sleep(0.1)
            if number == 10:
                program.terminate()
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"40")
    assert program.ended() == 0


def test_upload_over_its_grace_is_given_up(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, GRACE_SECONDS=1).ready()
    with closing(post(program, "/count", 1000)) as connection:
        connection.send(b"x")
        program.wait_for("begun")
        program.terminate()
        response = connection.getresponse()
        assert response.status == 503
    assert program.ended() == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("path", ["/count", "/sluggish"])
def test_large_upload_takes_no_memory(start: Start, listener: socket.socket, path: str) -> None:
    program = start("serve", listener=listener).ready()
    assert program.get("/")[0].status == 200
    before, size = peak(program), 192 * MEBIBYTE
    with closing(post(program, path, size)) as connection:
        for _ in range(size // MEBIBYTE):
            connection.send(bytes(MEBIBYTE))
        assert connection.getresponse().read() == str(size).encode()
    assert peak(program) - before < FLAT


def peak(program: Program) -> int:
    """Return the most memory that the program has taken so far."""
    for line in Path(f"/proc/{program.process.pid}/status").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise AssertionError("no VmHWM")
