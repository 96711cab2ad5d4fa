"""tasks.branches.server: rules brought to servers that stand in for GitHub's and GitLab's API."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from invoke.context import Context
from tasks import branch
from tasks.branches import github, server
from tasks.branches.local import Local
from tasks.branches.server import Place, plan, reach
from tasks.lib import git
from tasks.lib.console import TaskError

from tests.branches import KINDS

TOKEN = "not-a-real-token"  # noqa: S105
ENVIRON = {"GITHUB_TOKEN": TOKEN, "GITLAB_TOKEN": TOKEN}


@dataclass
class Fake:
    """A server with one project; keeps what it is given as the real ones do, and adds to it."""

    port: int = 0
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    protected: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    refuses: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def answer(self, method: str, path: str, given: Any) -> tuple[int, Any]:
        kind, *rest = path.strip("/").split("/")
        if kind == "repos" and rest[:3] == ["owner", "name", "rulesets"]:
            return self._github(method, [int(number) for number in rest[3:]], given)
        if kind == "projects" and unquote(rest[0]) == "group/sub/name":
            if len(rest) == 1:
                self.settings |= given or {}
                return 200, self.settings
            return self._gitlab(method, unquote("/".join(rest[2:])), given)
        return 404, {"message": "Not Found"}

    def _github(self, method: str, number: list[int], given: Any) -> tuple[int, Any]:
        if method == "GET" and not number:
            return 200, [{"id": n, "name": r["name"]} for n, r in self.rulesets.items()]
        if method == "DELETE":
            del self.rulesets[number[0]]
            return 204, None
        if given is not None:
            number = number or [len(self.rulesets) + 10]
            self.rulesets[number[0]] = given
        return 200, {"id": number[0], "source": "owner/name", **self.rulesets[number[0]]}

    def _gitlab(self, method: str, name: str, given: Any) -> tuple[int, Any]:
        if method == "GET":
            return 200, list(self.protected.values())
        if method == "DELETE":
            return (204, None) if self.protected.pop(name, None) else (404, {"message": "none"})
        if given["name"] in self.protected:
            return 409, {"message": "Protected branch already exists"}
        levels = {
            f"{what}_access_levels": [{"id": 1, "access_level": given[f"{what}_access_level"]}]
            for what in ("push", "merge")
        }
        force = {"allow_force_push": given["allow_force_push"]}
        self.protected[given["name"]] = {"name": given["name"], **levels, **force}
        return 201, self.protected[given["name"]]


@pytest.fixture
def fake() -> Iterator[Fake]:
    state = Fake()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            path = urlsplit(self.path).path
            state.asked.append(f"{self.command} {self.path}")
            token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN")
            state.tokens.add(token)
            size = int(self.headers.get("Content-Length") or 0)
            given = json.loads(self.rfile.read(size)) if size else None
            if path in state.refuses:
                code, body = state.refuses[path]
            else:
                code, content = state.answer(self.command, path, given)
                body = b"" if content is None else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/repos/owner/name/rulesets")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = serving.server_address[1]
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    serving.shutdown()
    thread.join()
    serving.server_close()


def at(fake: Fake, kind: str) -> Place:
    name = {"github": "owner/name", "gitlab": "group/sub/name"}[kind]
    return Place(kind, f"http://127.0.0.1:{fake.port}", name)


def steps(fake: Fake, kind: str, root: Path) -> list[str]:
    """Apply the table to the server; return what was planned."""
    where = at(fake, kind)
    reached = reach(where, ENVIRON)
    planned = plan(root, where, reached, KINDS)
    server.apply(reached, planned)
    return [step.what for step in planned]


def test_github_gets_the_rulesets(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/checks.yml").touch()
    fake.rulesets[1] = {"name": "theirs", "rules": []}
    wanted = list(github.rulesets(KINDS).values())
    assert steps(fake, "github", tmp_path) == [f"make the ruleset '{r['name']}'" for r in wanted]
    assert list(fake.rulesets.values()) == [{"name": "theirs", "rules": []}, *wanted]
    assert fake.tokens == {f"Bearer {TOKEN}"}
    assert steps(fake, "github", tmp_path) == []
    [number] = [n for n, r in fake.rulesets.items() if r["name"] == "branches: main, requests only"]
    fake.rulesets[number] = {**fake.rulesets[number], "enforcement": "disabled"}
    fake.rulesets[99] = {"name": "branches: hotfix/*, kept", "rules": []}
    assert steps(fake, "github", tmp_path) == [
        "change the ruleset 'branches: main, requests only'",
        "delete the ruleset 'branches: hotfix/*, kept'",
    ]
    assert list(fake.rulesets.values()) == [{"name": "theirs", "rules": []}, *wanted]


def test_checks_that_nobody_reports_are_not_asked_for(fake: Fake, tmp_path: Path) -> None:
    steps(fake, "github", tmp_path)
    types = {rule["type"] for ruleset in fake.rulesets.values() for rule in ruleset["rules"]}
    assert "pull_request" in types
    assert "required_status_checks" not in types


def test_gitlab_gets_the_protected_branches(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").touch()
    fake.answer("POST", "projects/group%2Fsub%2Fname/protected_branches", {  # as it comes
        "name": "main", "push_access_level": 40, "merge_access_level": 40,
        "allow_force_push": False,
    })  # fmt: skip
    assert steps(fake, "gitlab", tmp_path) == [
        "stop protecting 'main' as it is",
        "protect 'main': nobody may push, maintainers may merge",
        "protect 'develop': nobody may push, developers may merge",
        "protect 'release/*': maintainers may push, maintainers may merge",
        "merge only what the pipeline passed",
    ]
    assert set(fake.protected) == {"main", "develop", "release/*"}
    assert fake.settings == {"only_allow_merge_if_pipeline_succeeds": True}
    assert fake.tokens == {TOKEN}
    assert steps(fake, "gitlab", tmp_path) == []


REFUSED = {
    "an answer of 403": (403, b'{"message": "Must have admin rights"}', "403 Must have admin rig"),
    "a redirect": (302, b"", "302 Found"),
    "no JSON": (200, b"<html>", "the answer is no JSON"),
    "no list": (200, b"{}", "the answer is no list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_one_line(fake: Fake, tmp_path: Path, case: str) -> None:
    code, body, said = REFUSED[case]
    fake.refuses["/repos/owner/name/rulesets"] = (code, body)
    with pytest.raises(TaskError) as refused:
        steps(fake, "github", tmp_path)
    line = str(refused.value)
    assert line.startswith(f"GET http://127.0.0.1:{fake.port}/repos/owner/name/rulesets")
    assert said in line
    assert "\n" not in line
    assert TOKEN not in line
    assert len(fake.asked) == 1  # it follows no redirect


def test_a_server_that_is_not_there_is_one_line(fake: Fake, tmp_path: Path) -> None:
    where = Place("github", "http://127.0.0.1:1", "owner/name")
    with pytest.raises(TaskError, match=r"^GET http://127\.0\.0\.1:1/.*: no answer \("):
        plan(tmp_path, where, reach(where, ENVIRON), KINDS)


@pytest.mark.parametrize(
    ("remote", "kind", "url", "name"),
    [
        ("git@github.com:owner/name.git", "github", "https://api.github.com", "owner/name"),
        ("https://u:p@git.example.com/owner/name", "github",
         "https://git.example.com/api/v3", "owner/name"),
        ("ssh://git@gitlab.example.com:2222/group/sub/name.git", "gitlab",
         "https://gitlab.example.com/api/v4", "group/sub/name"),
    ],
)  # fmt: skip
def test_the_remote_says_where(tmp_path: Path, remote: str, kind: str, url: str, name: str) -> None:
    git.run(tmp_path, "init", "--quiet")
    git.run(tmp_path, "remote", "add", "origin", remote)
    assert server.place(tmp_path, kind) == Place(kind, url, name)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("gitea", "", ""), "--server is 'gitea': expected github or gitlab"),
        (("github", "", ""), "--repository is '': expected a name such as OWNER/NAME"),
        (("github", "", "a b/c"), "--repository is 'a b/c': expected a name such as OWNER/NAME"),
        (("github", "", "a/b"), "--url is '': expected the https:// address of the server's API"),
        (("github", "http://example.com", "a/b"), "--url is 'http://example.com': expected the h"),
        (("github", "file:///etc", "a/b"), "--url is 'file:///etc': expected the https:// addres"),
        (("github", "https://u:p@h", "a/b"), "--url is 'https://u:p@h': expected the https:// ad"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, given: tuple[str, str, str], said: str) -> None:
    with pytest.raises(TaskError) as refused:
        server.place(tmp_path, *given)
    assert str(refused.value).startswith(said)


def test_a_token_is_asked_for() -> None:
    where = Place("gitlab", "https://example.com", "a/b")
    with pytest.raises(TaskError, match=r"^GITLAB_TOKEN is not set: "):
        reach(where, {"GITHUB_TOKEN": TOKEN})
    with pytest.raises(TaskError, match=r"^GITLAB_TOKEN holds no token: ") as refused:
        reach(where, {"GITLAB_TOKEN": f"{TOKEN}\n"})
    assert TOKEN not in str(refused.value)


def test_a_dry_run_changes_nothing(
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setattr(branch, "_here", lambda: Local(tmp_path, KINDS))
    where = at(fake, "github")
    branch.protect(Context(), "github", where.repository, where.url, dry_run=True)
    assert fake.rulesets == {}
    assert capsys.readouterr().out.startswith("  make the ruleset 'branches: names'\n")
    branch.protect(Context(), "github", where.repository, where.url)
    assert len(fake.rulesets) == len(github.rulesets(KINDS))
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err
