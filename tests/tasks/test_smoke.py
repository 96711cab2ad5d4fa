"""tasks.deploy.build.smoke: a program that does not answer is not published."""

import re
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.deploy.build import smoke
from tasks.deploy.build.plan import Plan
from tasks.lib.console import TaskError

RELEASE = "1.0rc1+0123456789ab"


def program(folder: Path, serve: str, check: str) -> Path:
    path = folder / "my-service"
    path.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        case $1 in
        serve) {serve} ;;
        check) {check} ;;
        esac
        """)
    )
    path.chmod(0o755)
    return path


def test_one_that_answers_and_stops_is_fine(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVICE_LOG_LEVEL", "of whoever builds")
    told = tmp_path / "told"
    made = program(
        tmp_path, "exec sleep 60", f'echo "$MY_SERVICE_HOST$MY_SERVICE_LOG_LEVEL $*" > {told}'
    )
    smoke.check(made, plan.project, plan.revision)
    host, *arguments = told.read_text().split()
    assert host == "127.0.0.1", "the builder's own settings are not the program's"
    assert arguments[-4:] == ["--release", plan.revision.release, "--wait", "30"]


def test_one_that_callers_cannot_ask_has_a_socket_for_it(plan: Plan, tmp_path: Path) -> None:
    told = tmp_path / "told"
    made = program(tmp_path, "exec sleep 60", f'echo "$RUNTIME_DIRECTORY $*" > {told}')
    quiet = replace(plan.project, serves={**plan.project.serves, "ready_path": ""})
    smoke.check(made, quiet, plan.revision)
    folder, *arguments = told.read_text().split()
    assert f"unix:{folder}/health.sock" in arguments


def test_one_that_waits_for_more_is_asked_whether_it_is_alive(plan: Plan, tmp_path: Path) -> None:
    told = tmp_path / "told"
    made = program(tmp_path, "exec sleep 60", f'echo "$*" > {told}')
    waiting = replace(plan.project, serves={**plan.project.serves, "ready": "my_service.db:ready"})
    smoke.check(made, waiting, plan.revision)
    arguments = told.read_text().split()
    assert arguments[-1] == "--alive"
    assert arguments[2].endswith("/health.sock")


def test_a_worker_is_held(plan: Plan, tmp_path: Path) -> None:
    told, asked = tmp_path / "told", tmp_path / "asked"
    serve = f'env > {told}; echo "$@" >> {told}; exec sleep 60'
    # What answers is told to end, so it must have written all of that before.
    check = f'until grep -qs "^serve" {told}; do sleep 0.05; done; echo "$*" > {asked}'
    made = program(tmp_path, serve, check)
    worker = replace(plan.project, serves={"kind": "worker", "run": "my_service.work:run"})
    smoke.check(made, worker, plan.revision)
    lines = told.read_text().splitlines()
    assert lines[-1] == "serve --hold"
    assert not [line for line in lines if line.startswith("MY_SERVICE_")]
    assert "/health.sock --release" in asked.read_text()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (
            ("echo no module >&2; exit 3", "exec sleep 60"),
            r"exit code 3\n +no module",
        ),
        (("exec sleep 60", "echo error: other release; exit 1"), "does not work: other release"),
        (("exec sleep 60", "exit 4"), "its check ended with exit code 4"),
        (
            (
                "trap '' TERM; touch $0.up; while :; do sleep 0.1; done",
                "while [ ! -e $0.up ]; do sleep 0.1; done",
            ),
            "timed out after",
        ),
    ],
)
def test_one_that_does_not_is_refused(
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: tuple[str, str],
    said: str,
) -> None:
    monkeypatch.setattr(smoke, "_STOP_SECONDS", 0.2)
    with pytest.raises(TaskError, match=said):
        smoke.check(program(tmp_path, *behaviour), plan.project, plan.revision)


def command(folder: Path, does: str) -> Path:
    path = folder / "my-command"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def test_a_command_that_says_its_release_is_fine(plan: Plan, tmp_path: Path) -> None:
    project = replace(plan.project, serves={"kind": "cli"})
    made = command(tmp_path, f'[ "$*" = --version ] && echo "tool, version {RELEASE}"')
    smoke.check(made, project, plan.revision)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo tool 1.0rc1", "says 'tool 1.0rc1', with exit code 0: expected the release id"),
        ("exit 3", "says 'nothing', with exit code 3: expected"),
        (f"echo {RELEASE}; echo no library >&2; exit 1", "says 'no library', with exit code 1"),
        (f"echo {RELEASE}x", f"expected the release id {re.escape(RELEASE)} as a word"),
        ("exec sleep 60", "timed out after"),
    ],
)
def test_a_command_that_does_not_is_refused(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    monkeypatch.setattr(smoke, "_START_SECONDS", 0.5)
    project = replace(plan.project, serves={"kind": "cli"})
    with pytest.raises(TaskError, match=said):
        smoke.check(command(tmp_path, does), project, plan.revision)
