"""The program as a real process: what it listens on, and its errors when it cannot."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from types import ModuleType

import pytest
from click.testing import Result

from .program import Program, free_port

Start = Callable[..., Program]
Run = Callable[..., Result]
HandOver = Callable[..., None]


def test_serves_on_the_port_that_is_set(start: Start, run: Run, service: ModuleType) -> None:
    port = free_port()
    program = start("serve", PORT=port).ready()
    assert program.address == ("127.0.0.1", port)
    response, body = program.get("/healthz")
    assert response.status == 200
    release = service.release.current().release
    assert json.loads(body)["release"] == release

    url = f"http://127.0.0.1:{port}"
    assert run("check", "--url", url, "--release", release).exit_code == 0
    wrong = run("check", "--url", url, "--release", "0+other")
    assert (wrong.exit_code, wrong.output) == (1, f"release is {release}, expected 0+other\n")

    program.terminate()
    assert program.ended() == 0
    messages = [line["message"] for line in program.lines()]
    assert messages == [f"listening on 127.0.0.1:{port}", "stopping", "stopped"]


def test_serves_on_the_socket_handed_over(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, PORT=free_port()).ready()
    assert program.address == listener.getsockname()
    assert program.get("/readyz")[0].status == 200


def test_connection_without_another_request_is_closed(
    start: Start, listener: socket.socket
) -> None:
    program = start("serve", listener=listener, IDLE_SECONDS=2).ready()
    with closing(program.connect()) as connection:
        for _ in range(2):
            connection.request("GET", "/")
            connection.getresponse().read()
            began = time.monotonic()
            time.sleep(1)
        assert connection.sock.recv(1) == b""
        assert 1.9 < time.monotonic() - began < 20


def test_a_hand_over_meant_for_another_process_is_ignored(
    start: Start, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "1")
    port = free_port()
    assert start("serve", PORT=port).ready().address == ("127.0.0.1", port)


def test_port_in_use(run: Run, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    result = run("serve", "--port", str(port))
    line = f"error: cannot listen on 127.0.0.1:{port}: address already in use\n"
    assert (result.exit_code, result.output) == (1, line)


def test_address_that_is_not_here(run: Run) -> None:
    result = run("serve", "--host", "192.0.2.1", "--port", "8000")
    line = "error: cannot listen on 192.0.2.1:8000: cannot assign requested address\n"
    assert (result.exit_code, result.output) == (1, line)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_every_address_includes_ipv4(service: ModuleType) -> None:
    port = free_port()
    [sock] = service.sockets.bound("::", port)
    with sock:
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("::1", port)).close()


@pytest.fixture
def hand_over(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> HandOver:
    """Return a function that announces `count` sockets to this process, from `first` on."""

    def announce(count: str, first: int = 3) -> None:
        monkeypatch.setattr(service.sockets, "FIRST", first)
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", count)

    return announce


def test_hand_over_of_nobody_knows_how_many(run: Run, hand_over: HandOver) -> None:
    hand_over("many")
    result = run("serve")
    line = "error: LISTEN_FDS is 'many': expected a whole number\n"
    assert (result.exit_code, result.output) == (1, line)


def test_hand_over_of_a_socket_that_does_not_listen(run: Run, hand_over: HandOver) -> None:
    descriptor = socket.socket().detach()
    hand_over("1", descriptor)
    result = run("serve")
    line = f"error: cannot listen on file descriptor {descriptor}: not a listening socket\n"
    assert (result.exit_code, result.output) == (1, line)


def test_hand_over_of_no_socket(run: Run, hand_over: HandOver) -> None:
    hand_over("1", 1_000_000)
    result = run("serve")
    line = "error: cannot listen on file descriptor 1000000: bad file descriptor\n"
    assert (result.exit_code, result.output) == (1, line)


def test_hand_over_is_not_passed_on(service: ModuleType) -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a", "OTHER": "x"}
    assert service.sockets.handed_over(environ) == []
    assert environ == {"OTHER": "x"}


@pytest.mark.parametrize("words", [("version",), ("check", "--url", "http://127.0.0.1:1")])
def test_small_commands_import_no_server(service: ModuleType, words: tuple[str, ...]) -> None:
    code = (
        "import runpy, sys\n"
        "try:\n"
        f"    sys.argv[1:] = {list(words)}\n"
        f"    runpy.run_module({service.__name__!r}, run_name='__main__')\n"
        "finally:\n"
        "    heavy = {'asyncio', 'starlette', 'uvicorn', 'prometheus_client', 'logging'}\n"
        "    print('heavy:', *sorted(heavy & set(sys.modules)))\n"
    )
    path = os.pathsep.join(sys.path)
    environ = {**os.environ, "PYTHONPATH": path}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert found.stdout.endswith("heavy:\n"), found


def test_nobody_there(run: Run) -> None:
    port = free_port()
    result = run("check", PORT=str(port))
    line = f"no answer from http://127.0.0.1:{port}: connection refused\n"
    assert (result.exit_code, result.output) == (1, line)
