"""Makes one commit on a dependency branch: all of it, or nothing.

The work is done in a Git work tree of its own. Until the commit is whole, the user's files and
branches stay as they are, whatever fails and whenever it is killed.
"""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..branches import table
from ..lib import git, project
from ..lib.console import TaskError, step
from ..lib.process import last_lines
from ..lib.project import Project

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_KIND = "dependency"
_FOLDER = "update"
_LOG = "update.log"
_MOST = 100


@dataclass(frozen=True)
class Work:
    """A copy of the project in which a commit is made."""

    users: Project
    project: Project
    """The project in the work tree."""
    branch: str
    """The dependency branch that the user is on; empty for one that is to be made."""

    def check(self, sessions: Sequence[str]) -> None:
        """Run nox sessions on the copy. Raises `TaskError` with the last lines of what failed."""
        beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        nox = shutil.which("nox", path=beside)
        if not nox:
            raise TaskError("nox is not here: install it, for example with `pipx install nox`")
        log = self.users.build / _LOG
        with step(f"nox: {', '.join(sessions)}"), log.open("w", encoding="utf-8") as file:
            done = subprocess.run(
                [nox, "-s", *sessions], cwd=self.project.root, check=False,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        if done.returncode:
            said = last_lines(log.read_text(encoding="utf-8", errors="replace"))
            where = log.relative_to(self.users.root).as_posix()
            raise TaskError(f"the checks fail, nothing was changed (all of it: {where}):{said}")

    def finish(self, name: str, message: str, files: Sequence[str]) -> str:
        """Commit files of the copy, put the user on that commit's branch, and return its name.

        `name` is what stands for `*` in the name of a branch that is to be made.
        """
        copy, root = self.project.root, self.users.root
        git.run(copy, "add", "--", *files)
        # No hooks: the checks have run, and the branch gets its name below.
        committing = ("commit", "--no-verify", "--quiet", "--message", message)
        git.run(copy, *_author(self.users), *committing)
        commit = git.run(copy, "rev-parse", "HEAD")
        try:
            if self.branch:
                git.run(root, "merge", "--quiet", "--ff-only", commit)
                return self.branch
            made = _free(root, table.load(root)[_KIND].branch(name))
            git.run(root, "switch", "--quiet", "--create", made, commit)
        except TaskError as error:
            raise TaskError(f"{error}; what was made is commit {commit}") from error
        return made


@contextmanager
def work(users: Project) -> Iterator[Work]:
    """Yield a copy of the project as it is committed; remove it at the end.

    Raises `TaskError` where the user is on another branch, or has changes that are not committed.
    """
    branch = _branch(users.root)
    _require_committed(users.root)
    with _alone(users.build):
        folder = users.build / _FOLDER
        _remove(users.root, folder)
        try:
            git.run(users.root, "worktree", "add", "--quiet", "--detach", str(folder), "HEAD")
            copy = folder / git.run(users.root, "rev-parse", "--show-prefix")
            if (users.root / ".env").is_file():  # Pipenv may find an index's password there
                shutil.copy(users.root / ".env", copy)
            yield Work(users, project.load(copy), branch)
        finally:
            _remove(users.root, folder)


def today() -> str:
    """Return the day as the names of branches have it."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def _branch(root: Path) -> str:
    """Return the dependency branch that the user is on; empty on the one that they come from."""
    kinds = table.load(root)
    if _KIND not in kinds or not kinds[_KIND].comes_from:
        raise TaskError(f"pyproject.toml has no [tool.branches.{_KIND}], which says what they are")
    kind, origin = kinds[_KIND], kinds[kinds[_KIND].comes_from].name
    head = git.run(root, "rev-parse", "--verify", "HEAD")
    branch = git.run(root, "branch", "--show-current")
    if re.fullmatch(kind.pattern, branch):
        return branch
    ends = {git.answer(root, "rev-parse", "--verify", ref) for ref in (origin, f"origin/{origin}")}
    if branch == origin or (not branch and head in ends):  # CI checks out a commit, not a branch
        return ""
    where = f"branch '{branch}'" if branch else "no branch"
    raise TaskError(f"this is {where}: expected {origin}, or a branch named {kind.branch('…')}")


def _require_committed(root: Path) -> None:
    changed = git.run(root, "status", "--porcelain", "--untracked-files=no", "--", ".")
    if changed:
        names = ", ".join(line[2:].strip() for line in changed.splitlines()[:3])
        raise TaskError(f"there are uncommitted changes ({names}): commit or stash them first")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{_FOLDER}.lock").open("w") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TaskError("another update is running here: wait for its end") from None
        yield


def _remove(root: Path, folder: Path) -> None:
    git.answer(root, "worktree", "remove", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    git.answer(root, "worktree", "prune")


def _free(root: Path, name: str) -> str:
    """Return a name that no branch has, here or at the remote: the given one, or numbered."""
    for number in range(1, _MOST):
        tried = name if number == 1 else f"{name}-{number}"
        refs = (f"refs/heads/{tried}", f"refs/remotes/origin/{tried}")
        if not any(git.answer(root, "rev-parse", "--verify", "--quiet", ref) for ref in refs):
            return tried
    raise TaskError(f"there are {_MOST} branches named {name} already: delete those that are done")


def _author(this: Project) -> list[str]:
    """Return Git's options for who commits: the project's author, where Git knows nobody."""
    if git.answer(this.root, "config", "user.email") or os.environ.get("GIT_AUTHOR_EMAIL"):
        return []
    return ["-c", f"user.name={this.author}", "-c", f"user.email={this.email}"]
