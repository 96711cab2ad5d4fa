"""Pushes a branch, and requests that the server of the repository merges it."""

import base64
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ..lib import git, process
from ..lib.console import TaskError
from . import server
from .table import Table, kind_of, targets
from .work import Request

_NONE: tuple[str, ...] = ()


def current(root: Path, table: Table) -> Request | None:
    """Return the request that merges the current branch; None on a branch that all come from.

    The newest commit says what it is about. Raises `TaskError` for a branch without a place to go.
    """
    branch = git.run(root, "branch", "--show-current")
    kind = kind_of(table, branch)
    if not branch or (kind and kind.fixed):
        return None
    goes = [each for each in targets(table, kind) if each.fixed] if kind else []
    if not goes:
        raise TaskError(f"{branch} merges into no branch that a pipeline can tell")
    title, _, body = git.run(root, "log", "-1", "--format=%s%n%b").partition("\n")
    return Request(branch, goes[0].name, title, body.strip())


def send(root: Path, made: Request, environ: Mapping[str, str]) -> str:
    """Push a request's branch, open the request where the server is known; return what is next.

    Raises `TaskError` for what Git or the server refuses.
    """
    if environ.get("GITHUB_REPOSITORY"):
        return _github(root, made, environ)
    if environ.get("CI_PROJECT_PATH"):
        return _gitlab(root, made, environ)
    _push(root, made, "origin")
    return f"open it on the server, titled: {made.title}"


def _github(root: Path, made: Request, environ: Mapping[str, str]) -> str:
    repository = environ["GITHUB_REPOSITORY"]
    where = server.place(root, "github", environ.get("GITHUB_API_URL", ""), repository)
    reached = server.reach(where, environ)
    url = f"{environ.get('GITHUB_SERVER_URL', '')}/{repository}.git"
    _push(root, made, url, ("x-access-token", environ.get("GITHUB_TOKEN") or environ["GH_TOKEN"]))
    owner = repository.partition("/")[0]
    asked = f"head={quote(f'{owner}:{made.source}')}&base={quote(made.target)}"
    for there in reached.all(f"/repos/{repository}/pulls?state=open&{asked}"):
        return str(there.get("html_url", "it is open already"))
    ends = {"head": made.source, "base": made.target}
    content = {"title": made.title, "body": made.body, **ends}
    opened = reached.ask("POST", f"/repos/{repository}/pulls", content)
    return str(opened.get("html_url", "opened"))


def _gitlab(root: Path, made: Request, environ: Mapping[str, str]) -> str:
    token = environ.get("GITLAB_TOKEN", "")
    if not token:
        raise TaskError("GITLAB_TOKEN is not set: it must be allowed to push to the repository")
    # The server opens the request itself: https://docs.gitlab.com/topics/git/commit/#push-options
    wanted = ("create", f"target={made.target}", f"title={made.title}", "remove_source_branch")
    options = [f"--push-option=merge_request.{option}" for option in wanted]
    url = f"{environ.get('CI_SERVER_URL', '')}/{environ['CI_PROJECT_PATH']}.git"
    _push(root, made, url, ("oauth2", token), *options)
    return "opened by the push"


def _push(
    root: Path, made: Request, where: str, login: tuple[str, ...] = _NONE, *options: str
) -> None:
    """Push a branch; Git gets the login in its environment, where no list of processes has it."""
    given: dict[str, str] = {"GIT_TERMINAL_PROMPT": "0"}
    if login:
        spelled = base64.b64encode(":".join(login).encode()).decode()
        given["GIT_CONFIG_COUNT"] = "1"
        given["GIT_CONFIG_KEY_0"] = f"http.{where}.extraHeader"
        given["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {spelled}"
    # The hooks are for people: what is pushed here was checked when it was committed.
    command = ["git", "push", "--quiet", "--no-verify", *options, where]
    process.run([*command, f"HEAD:refs/heads/{made.source}"], cwd=root, env=given)
