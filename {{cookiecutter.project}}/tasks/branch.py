"""Branches by the conventions of `[tool.branches]` in pyproject.toml."""

import os
from pathlib import Path

from invoke.context import Context

from .branches import beginning, derived, remote, words, work
from .branches import server as servers
from .branches.local import Local
from .branches.pre_receive import plain
from .branches.table import load
from .lib import project
from .lib.console import TaskError, closing
from .lib.task import task


def _here() -> Local:
    root = project.load().root
    return Local(root, load(root))


def _refuse(problems: list[str]) -> None:
    """Raise `TaskError` with all problems, if there are any."""
    if problems:
        raise TaskError("\n       ".join(plain(problem) for problem in dict.fromkeys(problems)))


@task()
def init(_context: Context) -> None:
    """Make the project a Git repository: first commit, main, develop, hooks; again without harm."""
    this = project.load()
    made = beginning.make(this, load(this.root))
    rows = {"made": ", ".join(made) or "nothing: all was there", "hooks": "installed"}
    closing("The repository is ready", rows | {"next": "`invoke branch.start feature NAME`"})


@task(
    positional=["kind", "name"],
    help={"kind": "A kind of the table, such as feature.", "name": "The name after the `/`."},
)
def start(_context: Context, kind: str, name: str) -> None:
    """Start a branch of a kind where that kind starts, and switch to it."""
    here = _here()
    branch, origin = work.start(here, kind, name)
    rows = {"from": origin, "for": here.table[kind].purpose}
    closing(f"You are on {branch}", rows | {"next": "commit, then `invoke branch.finish`"})


@task(
    iterable=["files"],
    help={
        "source": "The branch that a request merges (default: check the current branch alone).",
        "target": "The branch that the request merges into.",
        "files": "A file that the request changes; can be repeated (default: ask Git, for more).",
        "staged": "Check the commit that is about to be made, as a Git hook does.",
        "message": "Check the commit message in this file as well, as a Git hook does.",
        "pushed": "Check the push that is about to be made, as a Git hook does.",
    },
)
def check(  # noqa: PLR0913, PLR0917 (invoke makes an option of each)
    _context: Context,
    source: str = "",
    target: str = "",
    files: list[str] | None = None,
    staged: bool = False,
    message: str = "",
    pushed: bool = False,
) -> None:
    """Check names, commits, files and messages of a branch, or whether it may be merged."""
    here = _here()
    if bool(source) != bool(target):
        raise TaskError("--source and --target belong together")
    if source:
        problems = here.request(source, target, files or None)
        _refuse(problems or words.said(here, source, [] if files else None))
    elif message or staged:
        _refuse(here.committed())
        if message:
            written = words.written(Path(message).read_text("utf-8"))
            _refuse(words.said(here, here.branch, [written]))
    elif pushed:
        _refuse(here.about_to_push(os.environ))
    else:
        branch = here.branch
        _refuse([*here.pushed(branch), *here.brought(branch)] or words.said(here, branch))


@task(help={"target": "The branch to merge into (default: where its kind usually goes)."})
def finish(_context: Context, target: str = "") -> None:
    """Check the current branch, and write the request that merges it where it belongs."""
    here = _here()
    source = here.branch
    made = work.request(here, source, target)
    _refuse(here.request(source, made.target) or words.said(here, source))
    path = here.root / "build" / "request.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{made.title}\n\n{made.body}\n", encoding="utf-8")
    print(f"{made.title}\n\n{made.body}")
    url = work.page(*remote.origin(here.root), made)
    rows = {"text": str(path.relative_to(here.root)), "next": f"`git push -u origin {source}`"}
    closing(f"{source} is ready for {made.target}", rows | ({"then": url} if url else {}))


@task(name="list")
def list_branches(_context: Context) -> None:
    """Show each branch: its kind, how far it is from where it started, what is wrong with it."""
    here = _here()
    found = list(work.listing(here))
    width = max((len(branch) for branch, _ in found), default=0)
    for branch, what in found:
        mark = "*" if branch == here.branch else " "
        print(f"{mark} {plain(branch):<{width}}  {plain(what)}")


@task()
def sync(_context: Context) -> None:
    """Write all that is derived from the table of branches anew."""
    changed = derived.write(project.load().root)
    closing("All is as the table says", {"changed": ", ".join(changed) or "nothing"})


@task(
    help={
        "server": "Which kind of server: github or gitlab.",
        "repository": "OWNER/NAME on the server (default: that of the remote origin).",
        "url": "Where the server's API is (default: on the host of the remote origin).",
        "dry-run": "Print the plan, and change nothing.",
    }
)
def protect(
    _context: Context, server: str, repository: str = "", url: str = "", dry_run: bool = False
) -> None:
    """Apply the table to a server: print a plan, then do it (GITHUB_TOKEN or GITLAB_TOKEN)."""
    here = _here()
    where = servers.place(here.root, server, url, repository)
    reached = servers.reach(where, os.environ)
    steps = servers.plan(here.root, where, reached, here.table)
    for step in steps:
        print(f"  {plain(step.what)}")
    if not dry_run:
        servers.apply(reached, steps)
    done = "nothing to do" if not steps else f"{len(steps)} steps"
    state = "planned" if dry_run else "as the table says"
    closing(f"{where.repository} on {where.url} is {state}", {"plan": done})
