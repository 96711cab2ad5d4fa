"""A worker: started, asked how it is, told to stop, and ended when it fails."""

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import Result

from .process import PATIENCE, Process

Start = Callable[..., Process]
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def check(folder: Path, run: Run) -> Run:
    """Return a function that checks the worker of this test."""
    return lambda *words: run("check", *words)


def messages(manager: socket.socket, seconds: float) -> list[str]:
    """Return what the manager is told in so many seconds."""
    told, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        manager.settimeout(left)
        try:
            told.append(manager.recv(1000).decode())
        except TimeoutError:
            break
    return told


def stop(program: Process) -> int:
    program.terminate()
    return program.ended()


def test_it_runs_until_told_to_stop(start: Start, check: Run, folder: Path) -> None:
    program = start("steady", "serve")
    said = check("--wait", "10")
    assert (said.exit_code, said.output[:7]) == (0, "ready: ")
    other = check("--release", "0+other")
    assert (other.exit_code, other.output.endswith("expected 0+other\n")) == (1, True)
    assert (folder / "health.sock").stat().st_mode & 0o777 == 0o600
    assert stop(program) == 0
    assert program.lines()[-1]["message"] == "stopped"
    assert not (folder / "health.sock").exists()


def test_interrupted_at_a_terminal(start: Start) -> None:
    program = start("hanging", "serve")
    program.wait_for("at work")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("stopping")
    program.process.send_signal(signal.SIGINT)
    assert program.ended() == 1
    assert "given up" in program.lines()[-1]["message"]


def test_held_until_told(start: Start, check: Run) -> None:
    program = start("steady", "serve", "--hold")
    program.wait_for("held")
    assert check("--wait", "10").exit_code == 0
    time.sleep(0.3)
    assert "at work" not in program.output()
    program.process.send_signal(signal.SIGUSR1)
    program.wait_for("at work")
    assert stop(program) == 0


def test_a_stop_while_it_is_held_begins_nothing(start: Start) -> None:
    program = start("steady", "serve", "--hold")
    program.wait_for("held")
    assert stop(program) == 0
    assert "at work" not in program.output()


def test_a_signal_to_begin_means_nothing_to_one_at_work(start: Start) -> None:
    program = start("steady", "serve")
    program.wait_for("at work")
    program.process.send_signal(signal.SIGUSR1)
    assert stop(program) == 0
    assert program.output().count("at work") == 1


def test_the_job_in_hand_is_finished(start: Start) -> None:
    program = start("finishing", "serve")
    program.wait_for("at work")
    assert stop(program) == 0
    assert [line["message"] for line in program.lines()][-4:] == [
        "at work", "stopping", "job done", "stopped",
    ]  # fmt: skip


def test_after_the_grace_it_ends_anyway(start: Start) -> None:
    program = start("hanging", "serve", GRACE_SECONDS=1)
    program.wait_for("at work")
    began = time.monotonic()
    assert stop(program) == 1
    assert 0.9 < time.monotonic() - began < 5
    assert "did not end within the grace period" in program.lines()[-1]["message"]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("raising", "the worker failed: LookupError: no queue"),
        ("exiting", "the worker failed: SystemExit: 0"),
        ("returning", "the worker failed: returned before it was told to stop"),
    ],
)
def test_one_that_fails_ends_the_process_with_one_line(start: Start, which: str, said: str) -> None:
    program = start(which, "serve")
    assert program.ended() == 1
    assert [line["message"] for line in program.lines()] == ["begun", said]


def test_one_that_fails_while_it_stops_has_failed(start: Start, check: Run) -> None:
    program = start("failing_late", "serve")
    check("--wait", "10")
    assert stop(program) == 1
    last = program.lines()[-1]
    assert last["message"] == "the worker failed: OSError: no room for the result"
    assert "failing_late" in last["error"]["stack_trace"]


def test_threads_of_its_own_do_not_keep_it(start: Start, check: Run) -> None:
    program = start("with_threads", "serve")
    assert check("--wait", "10").exit_code == 0
    assert stop(program) == 0


def test_the_manager_is_told(start: Start, manager: socket.socket) -> None:
    program = start("steady", "serve")
    assert manager.recv(1000) == b"STATUS=starting"
    assert manager.recv(1000) == b"READY=1\nSTATUS=working"
    signs = messages(manager, 1.0)
    assert len(signs) >= 3
    assert set(signs) == {"WATCHDOG=1"}
    program.terminate()
    assert "STOPPING=1\nSTATUS=stopping" in messages(manager, 1.0)
    assert program.ended() == 0


def test_the_manager_is_told_of_a_hold(start: Start, manager: socket.socket) -> None:
    program = start("steady", "serve", "--hold")
    assert manager.recv(1000) == b"READY=1\nSTATUS=held"
    program.wait_for("held")
    program.process.send_signal(signal.SIGUSR1)
    told = messages(manager, 1.0)
    assert told.index("STATUS=starting") < told.index("READY=1\nSTATUS=working")


def test_without_a_heartbeat_it_is_not_ready(start: Start, manager: socket.socket) -> None:
    program = start("mute", "serve")
    program.wait_for("at work")
    assert messages(manager, 1.5) == ["STATUS=starting"]


def test_one_that_hangs_gives_no_sign_of_life(
    start: Start, manager: socket.socket, check: Run
) -> None:
    program = start("hanging", "serve")
    program.wait_for("at work")
    assert "WATCHDOG=1" in messages(manager, 1.5)
    assert messages(manager, 0.8) == []
    said = check()
    assert said.exit_code == 1
    assert re.fullmatch(r"not ready: 503 not ready: no heartbeat for \d s\n", said.output)


def test_a_long_job_that_beats_is_healthy(start: Start, check: Run) -> None:
    program = start("beating", "serve")
    assert check("--wait", "10").exit_code == 0
    time.sleep(1.5)
    assert check().exit_code == 0
    assert stop(program) == 0


def test_before_the_first_heartbeat(start: Start, check: Run) -> None:
    program = start("mute", "serve")
    program.wait_for("at work")
    said = check()
    assert (said.exit_code, said.output) == (1, "not ready: 503 starting: no heartbeat yet\n")


def test_nothing_that_is_slow_is_imported(start: Start, manager: socket.socket) -> None:
    program = start("lean", "serve")
    program.wait_for("imported: []")
    program.wait_for("told: []")
    assert stop(program) == 0


def ask(service: ModuleType, folder: Path, path: str) -> tuple[int, str]:
    connection = service.check.UnixConnection(str(folder / "health.sock"), PATIENCE)
    connection.request("GET", path)
    response = connection.getresponse()
    answered = response.status, response.read().decode()
    connection.close()
    return answered


def test_what_the_health_socket_answers(
    start: Start, check: Run, service: ModuleType, folder: Path
) -> None:
    program = start("steady", "serve")
    assert check("--wait", "10").exit_code == 0
    assert ask(service, folder, "/healthz")[1].startswith('{"status":"alive","heartbeat_age":')
    status, metrics = ask(service, folder, "/metrics")
    assert status == 200
    age = re.search(r"^worker_heartbeat_age_seconds (\S+)$", metrics, re.MULTILINE)
    assert age
    assert 0 <= float(age[1]) < 5
    assert "build_info{" in metrics
    assert ask(service, folder, "/other")[0] == 404
    assert stop(program) == 0


def test_a_caller_who_says_nothing_keeps_nobody_waiting(
    start: Start, check: Run, folder: Path
) -> None:
    program = start("steady", "serve")
    assert check("--wait", "10").exit_code == 0
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(folder / "health.sock"))
        assert check().exit_code == 0
        assert stop(program) == 0


def test_a_socket_that_cannot_be(check: Run, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/nowhere")
    said = run("serve")
    line = "error: cannot listen on /nowhere/health.sock: no such file or directory\n"
    assert (said.exit_code, said.output) == (1, line)


def test_where_check_looks(
    service: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = service.serve.health_path
    assert path({"RUNTIME_DIRECTORY": "/run/a:/run/b"}) == Path("/run/a/health.sock")
    assert path({"XDG_RUNTIME_DIR": str(folder)}) == Path(f"/run/{service.NAME}/health.sock")
    (folder / service.NAME).mkdir()
    (folder / service.NAME / "health.sock").touch()
    assert path({"XDG_RUNTIME_DIR": str(folder)}) == folder / service.NAME / "health.sock"


def test_waiting_and_asking_are_heartbeats(service: ModuleType) -> None:
    first: list[str] = []
    heart = service.heart.Heart(0.2, lambda: first.append("beat"))
    told = service.heart.Stop(heart)
    assert heart.report() == {"status": "starting", "reason": "no heartbeat yet"}
    assert not told.wait(0.5)
    assert heart.is_well
    time.sleep(0.3)
    assert not heart.is_well
    assert not told.is_set()
    assert heart.report() == {"status": "ready"}
    heart.told.set()
    assert told.wait()
    assert first == ["beat"]
    assert heart.report() == {"status": "stopping"}


def test_without_a_health_socket_it_runs_as_well(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    program = start("steady", "serve")
    program.wait_for("at work")
    assert stop(program) == 0
