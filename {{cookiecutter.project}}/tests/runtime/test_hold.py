"""A release that starts beside the one that serves: ready, but accepting nobody yet."""

import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result
from starlette.applications import Starlette

from .process import short_folder
from .program import Program, free_port

Start = Callable[..., Program]
Run = Callable[..., Result]
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder that systemd gives a service while it runs."""
    with short_folder() as folder:
        monkeypatch.setenv("RUNTIME_DIRECTORY", f"{folder}:/run/another")
        yield folder


def accept_now(program: Program) -> None:
    program.process.send_signal(signal.SIGUSR1)
    program.ready()


def test_held_until_told(start: Start, listener: socket.socket, folder: Path, run: Run) -> None:
    program = start("serve", "--hold", listener=listener)
    program.wait_for("held")
    with socket.create_connection(listener.getsockname()) as caller:
        caller.sendall(REQUEST)
        url = f"unix:{folder}/health.sock"
        assert run("check", "--url", url, "--wait", "10").exit_code == 0
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            caller.recv(1)
        accept_now(program)
        caller.settimeout(20)
        assert caller.recv(15) == b"HTTP/1.1 200 OK"
    program.terminate()
    assert program.ended() == 0


def test_held_on_a_port_of_its_own(start: Start) -> None:
    program = start("serve", "--hold", PORT=free_port())
    program.wait_for("held")
    accept_now(program)
    assert program.get("/")[0].status == 200


def test_stop_while_held_leaves_callers_to_others(start: Start, listener: socket.socket) -> None:
    program = start("serve", "--hold", listener=listener)
    program.wait_for("held")
    with socket.create_connection(listener.getsockname()) as caller:
        caller.sendall(REQUEST)
        program.terminate()
        assert program.ended() == 0
        start("serve", listener=listener).ready()
        assert caller.recv(15) == b"HTTP/1.1 200 OK"


def test_signal_means_nothing_to_one_that_accepts(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener).ready()
    program.process.send_signal(signal.SIGUSR1)
    assert program.get("/")[0].status == 200
    program.terminate()
    assert program.ended() == 0


def test_start_that_fails(
    service: ModuleType, app: Starlette, served: Any, listener: socket.socket
) -> None:
    @contextlib.asynccontextmanager
    async def broken(_: Starlette) -> AsyncIterator[None]:
        raise LookupError("no database")
        yield

    app.router.lifespan_context = broken
    server = service.server.Server(served, service.settings.Settings())
    with pytest.raises(SystemExit, match="3"):
        server.run([listener])


def test_signal_before_the_start_counts(service: ModuleType, served: Any) -> None:
    start = service.server.Start(hold=True)
    server = service.server.Server(served, service.settings.Settings(), start)
    server._release()
    assert server._accepting


def test_others_serve_while_it_stops(start: Start, listener: socket.socket) -> None:
    old = start("serve", listener=listener).ready()
    with closing(old.connect()) as caller:
        caller.request("GET", "/readyz")
        assert caller.getresponse().read()
        new = start("serve", "--hold", listener=listener)
        new.wait_for("held")
        accept_now(new)
        old.terminate()
        assert old.get("/readyz")[0].status == 200
        caller.request("GET", "/readyz")
        response = caller.getresponse()
        assert b"stopping" in response.read()
        assert response.headers["connection"] == "close"
    assert old.ended() == 0


def test_health_socket_lives_as_long_as_the_service(
    start: Start, listener: socket.socket, folder: Path, run: Run
) -> None:
    path = folder / "health.sock"
    path.write_text("left by a process that was killed")
    program = start("serve", listener=listener).ready()
    assert path.is_socket()
    assert path.stat().st_mode & 0o777 == 0o600
    result = run("check", "--url", f"unix:{path}", "--release", "0+other")
    assert result.exit_code == 1
    assert result.output.endswith("expected 0+other\n")
    program.terminate()
    assert program.ended() == 0
    assert not path.exists()


def test_health_request_is_finished(start: Start, listener: socket.socket, folder: Path) -> None:
    program = start("serve", listener=listener).ready()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(folder / "health.sock"))
        caller.sendall(b"GET /slow?0.3 HTTP/1.1\r\nHost: a\r\n\r\n")
        program.wait_for("begun")
        program.terminate()
        assert caller.recv(15) == b"HTTP/1.1 200 OK"
    assert program.ended() == 0


def test_health_socket_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/nowhere")
    result = run("serve", "--port", str(free_port()))
    line = "error: cannot listen on /nowhere/health.sock: no such file or directory\n"
    assert (result.exit_code, result.output) == (1, line)
