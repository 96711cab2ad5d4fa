"""Starts branches, finishes them by the text of a request, and lists them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..lib import git
from ..lib.console import TaskError
from ..lib.process import first_line
from .local import Local
from .table import Kind, kind_of, targets


def start(here: Local, key: str, name: str) -> tuple[str, str]:
    """Make a branch of a kind where it comes from and switch to it; return its name and origin."""
    kind = here.table.get(key)
    startable = [each.key for each in here.table.values() if not each.fixed]
    if kind is None or kind.fixed:
        raise TaskError(f"the kind is '{key}': expected {', '.join(startable)}")
    branch = kind.branch(name)
    if kind_of(here.table, branch) is not kind:
        allowed = "letters and digits, with single . _ or - between them"
        raise TaskError(f"the name is '{name}': expected {allowed}")
    if here.tip(branch):
        raise TaskError(f"there is a branch {branch} already: `git switch {branch}`")
    origin = here.table[kind.comes_from]
    base = newest(here, _existing(here, origin)[0])
    done = git.ask(here.root, "switch", "--quiet", "--no-track", "--create", branch, base)
    if done.returncode:
        raise TaskError(f"cannot switch to {branch}: {first_line(done.stderr, 'no reason given')}")
    return branch, origin.name


def newest(here: Local, branch: str) -> str:
    """Return the commit of a branch, here or on its remote, that has what the other one has."""
    local, remote = here.heads.get(branch, ""), here.remote.get(branch, "")
    if not (local and remote):
        return local or remote
    if _has(here, local, remote):
        return local
    if _has(here, remote, local):
        return remote
    raise TaskError(f"{branch} and the remote's have parted: make them one first")


@dataclass(frozen=True)
class Request:
    """What someone asks for who wants a branch merged."""

    source: str
    target: str
    title: str
    body: str


def request(here: Local, source: str, target: str = "") -> Request:
    """Return the request that merges a branch where it belongs, or into the given branch."""
    kind = here.kind(source)
    target = target or _usual(here, source, kind)
    ends = [newest(here, branch) for branch in (target, source)]
    if not all(ends):
        raise TaskError(f"there is no branch {source if ends[0] else target} here: fetch it")
    shown = ["--no-show-signature", "--no-merges", "--reverse", "--format=%s"]
    subjects = git.run(here.root, "log", *shown, f"{ends[0]}..{ends[1]}").splitlines()
    if not subjects:
        raise TaskError(f"{source} has nothing that {target} lacks")
    title = subjects[0] if len(subjects) == 1 else f"Merge {source} into {target}"
    lines = [*(f"- {subject}" for subject in subjects), "", f"Purpose: {kind.purpose}.", ""]
    checks = [f"- [ ] `nox -s {session}`" for session in kind.checks]
    return Request(source, target, title, "\n".join([*lines, "Checked:", *checks]))


def page(host: str, project: str, made: Request) -> str:
    """Return the page on which a server takes a request; empty for a server that is not known."""
    if "github" in host:
        return f"https://{host}/{project}/compare/{made.target}...{made.source}"
    if "gitlab" in host:
        ends = {"source_branch": made.source, "target_branch": made.target}
        asked = "&".join(f"merge_request[{key}]={value}" for key, value in ends.items())
        return f"https://{host}/{project}/-/merge_requests/new?{asked}"
    return ""


def listing(here: Local) -> Iterator[tuple[str, str]]:
    """Yield each branch with a line on it: its kind, how it stands, what is wrong."""
    heads, remote = here.heads, here.remote
    for branch in sorted({**remote, **heads}):
        kind = kind_of(here.table, branch)
        if kind is None:
            yield branch, "no kind of the table has this name"
            continue
        facts = [kind.key, "" if branch in heads else "on the remote only"]
        facts += [_standing(here, branch, kind), *here.brought(branch)]
        yield branch, "; ".join(fact for fact in facts if fact)


def _standing(here: Local, branch: str, kind: Kind) -> str:
    """Return how many commits lie between a branch and the one that it comes from."""
    if not kind.comes_from or not (above := _existing(here, here.table[kind.comes_from])):
        return ""
    ends = f"{here.tip(above[0])}...{here.tip(branch)}"
    behind, ahead = git.run(here.root, "rev-list", "--left-right", "--count", ends).split()
    return f"{ahead} ahead of {above[0]}, {behind} behind"


def _usual(here: Local, source: str, kind: Kind) -> str:
    """Return the branch that requests from another usually go to: the first that exists."""
    possible = targets(here.table, kind)
    if not possible:
        raise TaskError(f"{source} merges into no other branch")
    for each in possible:
        if existing := _existing(here, each):
            return existing[-1]
    raise TaskError(f"there is no branch {' or '.join(each.name for each in possible)} here")


def _existing(here: Local, kind: Kind) -> list[str]:
    """Return the branches of a kind, by the numbers in their names."""
    known = {**here.remote, **here.heads}
    found = [branch for branch in known if re.fullmatch(kind.pattern, branch)]
    return sorted(found, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def _has(here: Local, commit: str, other: str) -> bool:
    return git.ask(here.root, "merge-base", "--is-ancestor", other, commit).returncode == 0
