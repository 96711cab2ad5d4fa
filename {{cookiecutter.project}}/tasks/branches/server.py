"""Brings the rules on a server in line with the table, by the server's API.

First comes a plan: what the server has is compared with what is derived from the table.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..lib.console import TaskError
from . import github, gitlab
from .pre_receive import plain
from .remote import origin
from .table import Table

_MOST = 8 * 1024 * 1024  # bytes of an answer
_SECONDS = 30
_PAGE = 100
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Step:
    """One thing to do on the server."""

    what: str
    method: str
    path: str
    content: Mapping[str, Any] | None = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would go along to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """A server's API, for one project on it."""

    url: str
    headers: Mapping[str, str]

    def ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Return the server's answer; raise `TaskError` that names what it refuses."""
        given = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        asked = urllib.request.Request(  # noqa: S310 (`reach` has looked at the scheme)
            f"{self.url}{path}", data=given, headers=headers, method=method
        )
        where = f"{method} {self.url}{path}"
        try:
            with urllib.request.build_opener(_NoRedirect).open(asked, timeout=_SECONDS) as answer:
                said = answer.read(_MOST + 1)
        except urllib.error.HTTPError as error:
            raise TaskError(f"{where}: {error.code} {_reason(error)}") from None
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise TaskError(f"{where}: no answer ({reason})") from None
        if len(said) > _MOST:
            raise TaskError(f"{where}: the answer is larger than {_MOST} bytes")
        try:
            return json.loads(said) if said else None
        except ValueError:
            raise TaskError(f"{where}: the answer is no JSON") from None

    def all(self, path: str) -> Iterator[Any]:
        """Yield the entries of a list that the server gives page by page."""
        for page in range(1, _PAGE):
            mark = "&" if "?" in path else "?"
            found = self.ask("GET", f"{path}{mark}per_page={_PAGE}&page={page}")
            if not isinstance(found, list):
                raise TaskError(f"GET {self.url}{path}: the answer is no list")
            yield from found
            if len(found) < _PAGE:
                return


@dataclass(frozen=True)
class Place:
    """Where a project is on a server."""

    kind: str
    url: str
    repository: str


def place(root: Path, kind: str, url: str = "", repository: str = "") -> Place:
    """Return where the project is, by the remote `origin` for what is not given."""
    if kind not in _TOKENS:
        raise TaskError(f"--server is '{kind}': expected {' or '.join(_TOKENS)}")
    host, path = origin(root)
    repository = repository or path
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", repository):
        raise TaskError(f"--repository is '{repository}': expected a name such as OWNER/NAME")
    url = (url or _PUBLIC.get(host) or (host and _API[kind].format(host))).rstrip("/")
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.netloc or parts.username or not (parts.scheme == "https" or local):
        raise TaskError(f"--url is '{url}': expected the https:// address of the server's API")
    return Place(kind, url, repository)


def reach(where: Place, environ: Mapping[str, str]) -> Server:
    """Return the server, with the token that the environment has for it."""
    names = _TOKENS[where.kind]
    token = next((environ[name] for name in names if environ.get(name)), "")
    if not token:
        raise TaskError(f"{names[0]} is not set: it holds the token of the server's API")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise TaskError(f"{names[0]} holds no token: it has spaces or line ends")
    return Server(where.url, _headers(where.kind, token))


def plan(root: Path, where: Place, server: Server, table: Table) -> list[Step]:
    """Return what must be done so that the server's rules are the table's."""
    return list(_PLANS[where.kind](root, where, server, table))


def apply(server: Server, steps: Iterable[Step]) -> None:
    """Do what a plan says."""
    for step in steps:
        server.ask(step.method, step.path, step.content)


def _github(root: Path, where: Place, server: Server, table: Table) -> Iterator[Step]:
    path = f"/repos/{where.repository}/rulesets"
    here = {
        entry["name"]: entry["id"]
        for entry in server.all(f"{path}?includes_parents=false")
        if entry["name"].startswith(github.PREFIX)
    }
    checked = any((root / ".github/workflows").glob("*.y*ml"))
    for wanted in github.rulesets(table).values():
        ruleset = wanted if checked else github.without_checks(wanted)
        number = here.pop(ruleset["name"], None)
        if number is None:
            yield Step(f"make the ruleset '{ruleset['name']}'", "POST", path, ruleset)
        elif not _holds(server.ask("GET", f"{path}/{number}"), ruleset):
            what = f"change the ruleset '{ruleset['name']}'"
            yield Step(what, "PUT", f"{path}/{number}", ruleset)
    for name, number in here.items():
        yield Step(f"delete the ruleset '{name}'", "DELETE", f"{path}/{number}")


def _gitlab(root: Path, where: Place, server: Server, table: Table) -> Iterator[Step]:
    project = f"/projects/{quote(where.repository, safe='')}"
    path = f"{project}/protected_branches"
    here = {entry["name"]: entry for entry in server.all(path)}
    for wanted in gitlab.protected(table):
        name, found = wanted["name"], here.get(wanted["name"])
        if found is not None and gitlab.same(found, wanted):
            continue
        if found is not None:  # only paid tiers change levels of one that is there
            where_it_is = f"{path}/{quote(name, safe='')}"
            yield Step(f"stop protecting '{name}' as it is", "DELETE", where_it_is)
        yield Step(f"protect '{name}': {gitlab.says(wanted)}", "POST", path, wanted)
    if (root / ".gitlab-ci.yml").is_file():
        setting = {"only_allow_merge_if_pipeline_succeeds": True}
        if not _holds(server.ask("GET", project), setting):
            yield Step("merge only what the pipeline passed", "PUT", project, setting)


_PLANS = {"github": _github, "gitlab": _gitlab}
_TOKENS = {"github": ("GITHUB_TOKEN", "GH_TOKEN"), "gitlab": ("GITLAB_TOKEN",)}
_API = {"github": "https://{}/api/v3", "gitlab": "https://{}/api/v4"}
_PUBLIC = {"github.com": "https://api.github.com"}


def _headers(kind: str, token: str) -> dict[str, str]:
    """Return what goes along with each request."""
    return {
        "github": {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        "gitlab": {"PRIVATE-TOKEN": token},
    }[kind]


def _holds(found: Any, wanted: Any) -> bool:
    """Return whether what the server has says all that is wanted; it may say more."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and _holds(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return False
        return all(any(_holds(each, value) for each in found) for value in wanted)
    return bool(found == wanted)


def _reason(error: urllib.error.HTTPError) -> str:
    """Return why a server refuses, as its answer says it."""
    try:
        said = json.loads(error.read(_MOST))
        reason = said.get("message") or said.get("error") or error.reason
    except (ValueError, AttributeError, OSError):
        reason = error.reason
    return plain(" ".join(str(reason).split()))
