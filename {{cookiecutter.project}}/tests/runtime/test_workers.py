"""Several processes that serve: all of them, as one service, whatever happens to each."""

import http.client
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import Result

from .load import enough, under_load
from .process import PATIENCE, short_folder
from .program import Program, free_port

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")

Start = Callable[..., Program]
Run = Callable[..., Result]
SETTLED = {"workers.SETTLING_SECONDS": 0}


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first minute after a start, in which no worker may end, be over at once."""
    monkeypatch.setenv("RUNTIME_VALUES", json.dumps(SETTLED))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder that systemd gives a service while it runs."""
    with short_folder() as folder:
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
        yield folder


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", sock.getsockname())
        yield sock


def answering(program: Program, number: int) -> Counter[int]:
    """Ask until `number` processes have answered; return how often each did."""
    end = time.monotonic() + PATIENCE
    seen: Counter[int] = Counter()
    while len(seen) < number:
        assert time.monotonic() < end, seen
        busy = [program.connect() for _ in range(number)]
        for connection in busy:
            connection.request("GET", "/process")
        for connection in busy:
            seen[int(connection.getresponse().read())] += 1
            connection.close()
    return seen


def counted(program: Program, number: int) -> str:
    """Return the metrics once they count `number` answers, and that no other request is open.

    An answer counts, and its request is no longer open, soon after it is sent.
    """
    answers = f'http_requests_total{{method="GET",route="/process",status="200"}} {number}.0'
    expected, metrics = {answers, "http_requests_in_progress 1.0"}, ""
    end = time.monotonic() + PATIENCE
    while not expected <= set(metrics.splitlines()):
        assert time.monotonic() < end, metrics
        metrics = program.get("/metrics")[1].decode()
    return metrics


def has_ended(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return False
    return True


def test_all_of_them_serve(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, WORKERS=3).ready()
    seen = answering(program, 3)
    assert program.process.pid not in seen
    metrics = counted(program, seen.total())
    assert metrics.count("\nbuild_info{") == metrics.count("\nprocess_open_fds ") == 1
    assert "process_resident_memory_bytes{" not in metrics
    program.terminate()
    assert program.ended() == 0
    assert all(map(has_ended, seen))
    messages = [line["message"] for line in program.lines() if "GET" not in line["message"]]
    host, port = program.address
    assert messages == [
        "3 workers accept callers",
        f"listening on {host}:{port}",
        "stopping",
        "stopped",
    ]


def test_port_of_its_own(start: Start) -> None:
    port = free_port()
    program = start("serve", WORKERS=2, PORT=port).ready()
    answering(program, 2)
    with closing(program.connect()) as connection:
        connection.request("GET", "/slow?1")
        program.wait_for("begun")
        program.terminate()
        assert connection.getresponse().read() == b"done"
    assert program.ended() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_held_until_told(
    start: Start, listener: socket.socket, folder: Path, run: Run, manager: socket.socket
) -> None:
    program = start("serve", "--hold", listener=listener, WORKERS=2)
    assert manager.recv(1000) == b"READY=1\nSTATUS=held"
    with socket.create_connection(listener.getsockname()) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        health = f"unix:{folder}/health.sock"
        assert run("check", "--url", health).exit_code == 0
        wrong = run("check", "--url", health, "--release", "0+other")
        assert wrong.output.endswith("expected 0+other\n")
        caller.settimeout(0.3)
        with pytest.raises(TimeoutError):
            caller.recv(1)
        program.process.send_signal(signal.SIGUSR1)
        assert manager.recv(1000) == b"STATUS=accepting"
        caller.settimeout(PATIENCE)
        assert caller.recv(15) == b"HTTP/1.1 200 OK"
    answering(program.ready(), 2)
    program.terminate()
    assert manager.recv(1000) == b"STOPPING=1\nSTATUS=stopping"
    assert program.ended() == 0
    assert list(folder.iterdir()) == []


def test_systemd_hears_of_one_service(
    start: Start, listener: socket.socket, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", str(1_000_000))
    program = start("serve", listener=listener, WORKERS=2)
    heard = [manager.recv(1000) for _ in range(6)]
    assert heard.count(b"READY=1\nSTATUS=accepting") == 1
    assert heard.count(b"WATCHDOG=1") == 5
    assert program.get_at(listener.getsockname(), "/") == 200


@pytest.mark.usefixtures("settled")
def test_another_takes_the_place_of_one_that_ends(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, WORKERS=2).ready()
    before = answering(program, 2)
    [victim, other] = before
    counted(program, before.total())  # what a process has not written yet is lost with it
    os.kill(victim, signal.SIGKILL)
    program.wait_for("a worker ended with signal 9: starting another")
    asked, after = before.total(), set(before)
    end = time.monotonic() + PATIENCE
    while len(after) < 3:
        assert time.monotonic() < end, after
        seen = answering(program, 2)
        asked, after = asked + seen.total(), after | set(seen)
    assert {victim, other} < after
    counted(program, asked)
    program.terminate()
    assert program.ended() == 0


@pytest.mark.usefixtures("settled")
def test_worker_that_hangs_is_killed(
    start: Start, listener: socket.socket, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", str(3_000_000))
    program = start("serve", listener=listener, WORKERS=2).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/stuck")
        program.wait_for("a worker gave no sign of life for 3 s: killing it")
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()
    program.wait_for("a worker ended with signal 9: starting another")
    answering(program, 2)
    assert manager.recv(1000)


def test_worker_that_ends_soon_ends_all(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, WORKERS=2).ready()
    victim, other = answering(program, 2)
    os.kill(victim, signal.SIGKILL)
    assert program.ended() == 1
    assert "a worker ended with signal 9 soon after the start: giving up" in program.output()
    assert has_ended(other)


def test_too_many_ends(
    start: Start, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_VALUES", json.dumps(SETTLED | {"workers.ENDS": 1}))
    program = start("serve", listener=listener, WORKERS=2).ready()
    first, second = answering(program, 2)
    for victim in (first, second):
        os.kill(victim, signal.SIGKILL)
    assert program.ended() == 1
    assert "too many workers ended, the last one with signal 9: giving up" in program.output()


def test_program_that_cannot_be_served(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, program="nothing", WORKERS=3)
    assert program.ended() == 1
    [line] = program.output().splitlines()
    assert line.startswith("error: tool.program.app is 'runtime.apps:nothing', but there is no")


def test_start_that_fails(start: Start, listener: socket.socket, folder: Path) -> None:
    program = start("serve", listener=listener, program="failing", WORKERS=3)
    assert program.ended() == 3
    assert program.output().count("no database") == program.output().count("Traceback") * 2 > 0
    assert list(folder.iterdir()) == []


def test_workers_do_not_outlive_their_parent(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, WORKERS=2).ready()
    seen = answering(program, 2)
    program.process.kill()
    end = time.monotonic() + PATIENCE
    while not all(map(has_ended, seen)):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_second_interrupt_skips_the_grace(start: Start, listener: socket.socket) -> None:
    program = start("serve", listener=listener, WORKERS=2, GRACE_SECONDS=3600).ready()
    with closing(program.connect()) as connection:
        connection.request("GET", "/slow?600")
        program.wait_for("begun")
        program.process.send_signal(signal.SIGINT)
        program.wait_for("stopping")
        program.process.send_signal(signal.SIGINT)
        assert connection.getresponse().status == 503
    assert program.ended() == 0


def test_restart_under_load_fails_no_request(start: Start, listener: socket.socket) -> None:
    settings = {"LOG_LEVEL": "error", "WORKERS": 2}
    program = start("serve", listener=listener, **settings)
    with under_load(listener.getsockname()) as loads:
        enough(loads)
        program.process.terminate()
        assert program.ended() == 0
        start("serve", listener=listener, **settings)
        enough(loads)
