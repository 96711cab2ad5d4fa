"""tasks.ci: deployments and requests by pipelines."""

import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit
from tasks import ci
from tasks.branches import requests
from tasks.branches.table import load
from tasks.hosts import access
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.branches import ROWS
from tests.support import commit, run

TOKEN = "not-a-real-token"  # noqa: S105
HOST = {"inventory": "x.yml", "quadrant": "offline-binary"}


@pytest.fixture
def here(small: project.Project, monkeypatch: pytest.MonkeyPatch) -> project.Project:
    """Return a project with the table of branches, in which tasks run."""
    with (small.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{ROWS}")
    monkeypatch.setattr("tasks.ci.project.load", lambda: small)
    return small


def context(**targets: object) -> Context:
    return Context(Config(overrides={"deploy": {"targets": targets}}))


# Deployments


def test_a_branch_deploys_to_its_target(
    here: project.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []

    def record(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        key = Path(options["env"]["ANSIBLE_PRIVATE_KEY_FILE"])
        ran.extend([command[1:], key.read_text(), access.KEY in options["env"]])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("tasks.ci.subprocess.run", record)
    monkeypatch.setenv(access.KEY, "the key")
    ci.deploy(context(production=HOST), branch="main")
    command = ["-m", "invoke", "deploy.offline-binary", "--to", "production"]
    assert ran == [command, "the key\n", False]


def test_a_failed_deployment_fails(here: project.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: subprocess.CompletedProcess[str] = subprocess.CompletedProcess([], 3)
    monkeypatch.setattr("tasks.ci.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(Exit, match=r"release/1\.0 was not deployed to staging"):
        ci.deploy(context(staging=HOST), branch="release/1.0")


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_target_that_is_not_there_is_told(
    here: project.Project, capsys: pytest.CaptureFixture[str], dry_run: bool
) -> None:
    ci.deploy(context(), branch="develop", dry_run=dry_run)
    assert "staging is not in invoke.yaml\n  deployed  nothing" in capsys.readouterr().out


def test_a_plan_deploys_nothing(here: project.Project, capsys: pytest.CaptureFixture[str]) -> None:
    ci.deploy(context(staging=HOST), branch="develop", dry_run=True)
    assert "invoke deploy.offline-binary --to staging" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("branch", "targets", "told"),
    [
        ("feature/a", {}, "feature/a deploys nowhere: tool.branches names no target for it"),
        ("else", {}, "--branch is 'else': expected one of main, develop, dependency/"),
        ("main", {"production": {"inventory": "x"}}, "production has no 'quadrant'"),
    ],
)
def test_what_cannot_be_deployed_is_refused(
    here: project.Project, branch: str, targets: dict[str, object], told: str
) -> None:
    with pytest.raises(Exit, match=told):
        ci.deploy(context(**targets), branch=branch)


@pytest.mark.parametrize("in_file", [True, False])
def test_a_key_reaches_ansible_in_a_file_for_its_user_alone(tmp_path: Path, in_file: bool) -> None:
    text = "-----BEGIN-----\r\nabc\r\n-----END-----"
    given = {"A": "b", access.KEY: text, access.KNOWN: "host key"}
    if in_file:
        for name in (access.KEY, access.KNOWN):
            (tmp_path / name).write_text(given[name])
            given[name] = str(tmp_path / name)
    work = tmp_path / "work"
    work.mkdir()
    made = access.environment(given, work)
    key = Path(made["ANSIBLE_PRIVATE_KEY_FILE"])
    assert key.read_text() == "-----BEGIN-----\nabc\n-----END-----\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    known = Path(made["ANSIBLE_SSH_EXTRA_ARGS"].partition("UserKnownHostsFile=")[2])
    assert known.read_text() == "host key\n"
    assert made["A"] == "b"
    assert not {access.KEY, access.KNOWN} & made.keys()


def test_a_machine_with_keys_of_its_own_is_left_alone(tmp_path: Path) -> None:
    assert access.environment({"A": "b", access.KEY: ""}, tmp_path) == {"A": "b"}
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_read_is_told_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"^DEPLOY_SSH_KEY names a file that cannot be read$"):
        access.environment({access.KEY: f"/nowhere/{TOKEN}"}, tmp_path)


# Requests


class Pulls(ThreadingHTTPServer):
    """GitHub's API for the requests of one repository."""

    opened: list[dict[str, Any]]
    tokens: set[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Pulls

    def do_GET(self) -> None:
        found = [each for each in self.server.opened if f"owner%3A{each['head']}" in self.path]
        self.answer([{"html_url": f"request of {each['head']}"} for each in found])

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.opened.append(given)
        self.answer({"html_url": "https://example.com/1"})

    def answer(self, content: object) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        pass


@pytest.fixture
def pulls() -> Iterator[Pulls]:
    with Pulls(("127.0.0.1", 0), Handler) as server:
        server.opened, server.tokens = [], set()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def updated(here: project.Project, tmp_path: Path) -> Path:
    """Return a repository on a dependency branch whose server is a bare one beside it."""
    remote = tmp_path / "server" / "owner" / "name.git"
    run(["git", "init", "--quiet", "--bare", remote], cwd=tmp_path)
    run(["git", "config", "receive.advertisePushOptions", "true"], cwd=remote)
    hook = remote / "hooks" / "post-receive"
    hook.write_text("#!/bin/sh\nenv | grep GIT_PUSH_OPTION_ | sort > options\n")
    hook.chmod(0o755)
    commit(here.root)
    run(["git", "remote", "add", "origin", str(remote)], cwd=here.root)
    run(["git", "switch", "--quiet", "--create", "dependency/2026-01-01"], cwd=here.root)
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    said = ["--message=build: renew click", "--message=click 1 -> 2"]
    run(["git", *who, "commit", "--quiet", "--allow-empty", *said], cwd=here.root)
    return remote


def send(here: project.Project, **environ: str) -> str:
    made = requests.current(here.root, load(here.root))
    assert made
    assert (made.source, made.target) == ("dependency/2026-01-01", "develop")
    assert (made.title, made.body) == ("build: renew click", "click 1 -> 2")
    return requests.send(here.root, made, environ)


def pushed(remote: Path) -> str:
    return run(["git", "log", "-1", "--format=%s", "dependency/2026-01-01"], cwd=remote).stdout


def test_github_gets_one_request(here: project.Project, updated: Path, pulls: Pulls) -> None:
    where = {
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_SERVER_URL": f"file://{updated.parents[1]}",
        "GITHUB_API_URL": f"http://127.0.0.1:{pulls.server_port}",
        "GITHUB_TOKEN": TOKEN,
    }
    assert send(here, **where) == "https://example.com/1"
    assert pushed(updated) == "build: renew click\n"
    assert send(here, **where) == "request of dependency/2026-01-01"
    [request] = pulls.opened
    assert (request["base"], request["title"]) == ("develop", "build: renew click")
    assert pulls.tokens == {f"Bearer {TOKEN}"}


def test_gitlab_gets_its_request_with_the_push(here: project.Project, updated: Path) -> None:
    server = f"file://{updated.parents[1]}"
    where = {"CI_PROJECT_PATH": "owner/name", "CI_SERVER_URL": server, "GITLAB_TOKEN": TOKEN}
    assert send(here, **where) == "opened by the push"
    assert pushed(updated) == "build: renew click\n"
    options = (updated / "options").read_text()
    for each in ("create", "target=develop", "title=build: renew click", "remove_source_branch"):
        assert f"=merge_request.{each}\n" in options


def test_elsewhere_the_branch_is_pushed(here: project.Project, updated: Path) -> None:
    assert "build: renew click" in send(here)
    assert pushed(updated) == "build: renew click\n"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"GITHUB_REPOSITORY": "owner/name"}, "--url is"),
        ({"CI_PROJECT_PATH": "owner/name"}, "GITLAB_TOKEN is not set"),
        ({"CI_PROJECT_PATH": "a", "GITLAB_TOKEN": TOKEN, "CI_SERVER_URL": "/no"}, "git failed"),
    ],
)
def test_a_refused_request_is_told_without_the_token(
    here: project.Project, updated: Path, environ: dict[str, str], told: str
) -> None:
    with pytest.raises(TaskError, match=told) as refused:
        send(here, **environ)
    assert TOKEN not in str(refused.value)


def test_the_login_is_in_no_list_of_processes(
    here: project.Project, updated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(
        "tasks.branches.requests.process.run", lambda *args, **kwargs: given.append((args, kwargs))
    )
    send(here, CI_PROJECT_PATH="a", CI_SERVER_URL="https://example.com", GITLAB_TOKEN=TOKEN)
    [(command, options)] = given
    assert TOKEN not in str(command)
    assert options["env"]["GIT_CONFIG_KEY_0"] == "http.https://example.com/a.git.extraHeader"
    assert options["env"]["GIT_CONFIG_VALUE_0"].startswith("Authorization: Basic ")


def test_nothing_is_requested_from_a_branch_that_all_come_from(
    here: project.Project, updated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["git", "switch", "--quiet", "--create", "develop"], cwd=here.root)
    ci.request(Context())
    assert "There is nothing to request" in capsys.readouterr().out
    run(["git", "switch", "--quiet", "--create", "else"], cwd=here.root)
    with pytest.raises(Exit, match="else merges into no branch that a pipeline can tell"):
        ci.request(Context())


def test_a_request_is_told(
    here: project.Project, updated: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("GITHUB_REPOSITORY", "CI_PROJECT_PATH"):
        monkeypatch.delenv(name, raising=False)
    ci.request(Context())
    assert "dependency/2026-01-01 is to be merged into develop" in capsys.readouterr().out
    assert os.environ.get("GIT_CONFIG_COUNT") is None
