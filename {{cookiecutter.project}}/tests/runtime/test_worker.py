"""A worker: started, asked how it is, told to stop, and ended when it fails."""

import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result

from .conftest import ROOT
from .program import PATIENCE, Program, short_folder

Start = Callable[..., Program]
Run = Callable[..., Result]
DOCUMENTED = ROOT / "deploy/units/worker/env.in"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder that systemd gives a worker while it runs."""
    with short_folder() as folder:
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
        yield folder


@pytest.fixture
def manager(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd does, which asks for a sign of life every 0.4 s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        yield sock


@pytest.fixture
def check(folder: Path, run: Run, service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that checks the worker of this test."""
    facts = service.facts.Facts(kind="worker", run="")
    monkeypatch.setattr(service.facts, "read", lambda: facts)
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


def stop(program: Program) -> int:
    program.terminate()
    return program.ended()


def test_it_runs_until_told_to_stop(start: Start, check: Run, folder: Path) -> None:
    program = start("serve", program="workers:steady")
    said = check("--wait", "10")
    assert (said.exit_code, said.output[:7]) == (0, "ready: ")
    other = check("--release", "0+other")
    assert (other.exit_code, other.output.endswith("expected 0+other\n")) == (1, True)
    assert (folder / "health.sock").stat().st_mode & 0o777 == 0o600
    assert stop(program) == 0
    assert program.lines()[-1]["message"] == "stopped"
    assert not (folder / "health.sock").exists()


def test_interrupted_at_a_terminal(start: Start) -> None:
    program = start("serve", program="workers:hanging")
    program.wait_for("at work")
    program.process.send_signal(signal.SIGINT)
    program.wait_for("stopping")
    program.process.send_signal(signal.SIGINT)
    assert program.ended() == 1
    assert "given up" in program.lines()[-1]["message"]


def test_held_until_told(start: Start, check: Run) -> None:
    program = start("serve", "--hold", program="workers:steady")
    program.wait_for("held")
    assert check("--wait", "10").exit_code == 0
    time.sleep(0.3)
    assert "at work" not in program.output()
    program.process.send_signal(signal.SIGUSR1)
    program.wait_for("at work")
    assert stop(program) == 0


def test_a_stop_while_it_is_held_begins_nothing(start: Start) -> None:
    program = start("serve", "--hold", program="workers:steady")
    program.wait_for("held")
    assert stop(program) == 0
    assert "at work" not in program.output()


def test_a_signal_to_begin_means_nothing_to_one_at_work(start: Start) -> None:
    program = start("serve", program="workers:steady")
    program.wait_for("at work")
    program.process.send_signal(signal.SIGUSR1)
    assert stop(program) == 0
    assert program.output().count("at work") == 1


def test_the_job_in_hand_is_finished(start: Start) -> None:
    program = start("serve", program="workers:finishing")
    program.wait_for("at work")
    assert stop(program) == 0
    assert [line["message"] for line in program.lines()][-4:] == [
        "at work", "stopping", "job done", "stopped",
    ]  # fmt: skip


def test_after_the_grace_it_ends_anyway(start: Start) -> None:
    program = start("serve", program="workers:hanging", GRACE_SECONDS=1)
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
    program = start("serve", program=f"workers:{which}")
    assert program.ended() == 1
    assert [line["message"] for line in program.lines()] == ["begun", said]


def test_one_that_fails_while_it_stops_has_failed(start: Start, check: Run) -> None:
    program = start("serve", program="workers:failing_late")
    check("--wait", "10")
    assert stop(program) == 1
    last = program.lines()[-1]
    assert last["message"] == "the worker failed: OSError: no room for the result"
    assert "failing_late" in last["error"]["stack_trace"]


def test_threads_of_its_own_do_not_keep_it(start: Start, check: Run) -> None:
    program = start("serve", program="workers:with_threads")
    assert check("--wait", "10").exit_code == 0
    assert stop(program) == 0


def test_the_manager_is_told(start: Start, manager: socket.socket) -> None:
    program = start("serve", program="workers:steady")
    assert manager.recv(1000) == b"STATUS=starting"
    assert manager.recv(1000) == b"READY=1\nSTATUS=working"
    signs = messages(manager, 1.0)
    assert len(signs) >= 3
    assert set(signs) == {"WATCHDOG=1"}
    program.terminate()
    assert "STOPPING=1\nSTATUS=stopping" in messages(manager, 1.0)
    assert program.ended() == 0


def test_the_manager_is_told_of_a_hold(start: Start, manager: socket.socket) -> None:
    program = start("serve", "--hold", program="workers:steady")
    assert manager.recv(1000) == b"READY=1\nSTATUS=held"
    program.wait_for("held")
    program.process.send_signal(signal.SIGUSR1)
    told = messages(manager, 1.0)
    assert told.index("STATUS=starting") < told.index("READY=1\nSTATUS=working")


def test_without_a_heartbeat_it_is_not_ready(start: Start, manager: socket.socket) -> None:
    program = start("serve", program="workers:mute")
    program.wait_for("at work")
    assert messages(manager, 1.5) == ["STATUS=starting"]


def test_one_that_hangs_gives_no_sign_of_life(
    start: Start, manager: socket.socket, check: Run
) -> None:
    program = start("serve", program="workers:hanging")
    program.wait_for("at work")
    assert "WATCHDOG=1" in messages(manager, 1.5)
    assert messages(manager, 0.8) == []
    said = check()
    assert said.exit_code == 1
    assert re.fullmatch(r"not ready: 503 not ready: no heartbeat for \d s\n", said.output)


def test_a_long_job_that_beats_is_healthy(start: Start, check: Run) -> None:
    program = start("serve", program="workers:beating")
    assert check("--wait", "10").exit_code == 0
    time.sleep(1.5)
    assert check().exit_code == 0
    assert stop(program) == 0


def test_before_the_first_heartbeat(start: Start, check: Run) -> None:
    program = start("serve", program="workers:mute")
    program.wait_for("at work")
    said = check()
    assert (said.exit_code, said.output) == (1, "not ready: 503 starting: no heartbeat yet\n")


def test_nothing_of_services_is_imported(start: Start, manager: socket.socket) -> None:
    program = start("serve", program="workers:lean")
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
    program = start("serve", program="workers:steady")
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
    program = start("serve", program="workers:steady")
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


def test_what_is_for_services_alone_is_refused(check: Run, run: Run, service: ModuleType) -> None:
    said = run("serve", "--port", "80")
    assert (said.exit_code, said.output) == (2, "error: --port is '80': a worker has no port\n")
    said = run("serve", PORT="80")
    names = f"{service.PREFIX}LOG_LEVEL, {service.PREFIX}GRACE_SECONDS"
    line = f"error: {service.PREFIX}PORT is no setting: expected one of {names}\n"
    assert (said.exit_code, said.output) == (2, line)


@pytest.mark.skipif(not DOCUMENTED.exists(), reason="not deployed to machines")
def test_every_setting_is_documented_with_its_default(service: ModuleType) -> None:
    shown = dict(re.findall(r"^#@prefix@(\w+)=(.*)$", DOCUMENTED.read_text("utf-8"), re.MULTILINE))
    usual, fields = service.settings.Settings(), service.settings.OF_KIND["worker"]
    assert shown == {field.upper(): str(getattr(usual, field)) for field in fields}


def test_where_check_looks(
    service: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = service.sockets.health_path
    assert path({"RUNTIME_DIRECTORY": "/run/a:/run/b"}) == Path("/run/a/health.sock")
    assert path({"XDG_RUNTIME_DIR": str(folder)}) == Path(f"/run/{service.NAME}/health.sock")
    (folder / service.NAME).mkdir()
    (folder / service.NAME / "health.sock").touch()
    assert path({"XDG_RUNTIME_DIR": str(folder)}) == folder / service.NAME / "health.sock"


FUNCTIONS = """
class Class:
    def __init__(self, stop): ...
    def method(self, stop): ...
instance = Class(1)
def run(stop): ...
def more(stop, log=None): ...
def nothing(): ...
def two(stop, queue): ...
def named(stop, *, queue): ...
async def later(stop): ...
def yielding(stop): yield
"""


@pytest.fixture
def find(service: ModuleType, write: Callable[[str], str]) -> Callable[[str], Any]:
    """Return a function that finds a worker's function in a module."""

    def find(name: str) -> Any:
        facts = service.facts.Facts(kind="worker", run=f"{write(FUNCTIONS)}:{name}")
        return service.program.find_run(facts)

    return find


@pytest.mark.parametrize("name", ["run", "more", "instance.method"])
def test_a_function_with_one_argument_is_found(find: Callable[[str], Any], name: str) -> None:
    assert find(name).__name__ in name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rnu", "there is no 'rnu': did you mean 'run'?"),
        ("__name__", "expected something to call"),
        ("Class", "expected a function that takes one argument, its stop"),
        ("nothing", "expected a function that takes one argument, its stop"),
        ("two", "expected a function that takes one argument, its stop"),
        ("named", "expected a function that takes one argument, its stop"),
        ("later", "expected a plain function (it may call asyncio.run)"),
        ("yielding", "expected a plain function (it may call asyncio.run)"),
    ],
)
def test_a_wrong_one_is_named(
    service: ModuleType, find: Callable[[str], Any], name: str, said: str
) -> None:
    with pytest.raises(service.facts.ProgramError) as refused:
        find(name)
    line = str(refused.value)
    assert line.startswith(f"tool.program.run is '{service.PACKAGE}.written:{name}', ")
    assert line.endswith(said)
    assert "\n" not in line


def test_lint_looks_for_a_worker_too(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = service.facts.Facts(kind="worker", run=f"{service.PACKAGE}.nowhere:run")
    monkeypatch.setattr(service.program, "read", lambda: facts)
    assert service.program.main() == 1
    name = f"{service.PACKAGE}.nowhere"
    line = f"error: tool.program.run is '{name}:run', but there is no module {name}\n"
    assert capsys.readouterr().err == line


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
    program = start("serve", program="workers:steady")
    program.wait_for("at work")
    assert stop(program) == 0
