"""Finds the commit to deploy, and gets it from where the hosts will get it."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ...lib.console import TaskError
from ...lib.project import Project

_ABSENT = re.compile(r"not our ref|couldn't find remote ref|no such remote ref|unadvertised object")
_CREDENTIALS = re.compile(r"//[^/@]*@")


@dataclass(frozen=True)
class Commit:
    """A commit that hosts can fetch."""

    repository: str
    """The address that Git fetches from."""
    ref: str
    """What the user asked for, such as `v1.2.3`."""
    id: str
    tag: str
    """The name of the tag that was asked for; empty where it was something else."""
    folder: str
    """Where the project lies in the repository: `services/web/`; empty at its top."""

    @property
    def shown(self) -> str:
        """The repository's address without what only Git is to know."""
        return _CREDENTIALS.sub("//", self.repository)

    def check_out(self, target: Path) -> Path:
        """Fetch the commit, as a host does, into the empty folder `target`; gives the project's.

        Raises `TaskError` where the repository cannot be asked or does not have it.
        """
        _git(target, "init", "--quiet")
        fetched = _ask(target, "fetch", "--quiet", "--depth", "1", self.repository, self.id)
        if fetched.returncode and _ABSENT.search(fetched.stderr):
            where = f"{self.ref} ({self.id[:12]}) is not in {self.shown}"
            raise TaskError(f"{where}: hosts could not get it, push it first")
        if fetched.returncode:
            words = fetched.stderr.strip().splitlines() or ["Git does not say why"]
            said = _CREDENTIALS.sub("//", words[0].removeprefix("fatal: "))
            raise TaskError(f"cannot fetch from {self.shown}: {said}")
        _git(target, "checkout", "--quiet", "--detach", self.id)
        return target / self.folder


def find(project: Project, repository: str, ref: str) -> Commit:
    """Find the commit that `ref` names, or the one that is checked out, where hosts can get it.

    `repository` is a remote's name, a folder or a URL. Raises `TaskError` outside of Git, for
    changes that are in no commit, and for a ref or a remote that does not exist.
    """
    root = project.root
    # A repository around the project that does not hold it says nothing about it.
    if not _ask(root, "ls-tree", "HEAD", "pyproject.toml").stdout:
        raise TaskError(f"{root.name} has no commit: hosts get the source by Git")
    if not ref and _git(root, "status", "--porcelain", "--", "."):
        raise TaskError("there are changes in no commit: commit and push them, or name a --ref")
    wanted = ref or "HEAD"
    commit = _ask(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}"
    )
    if commit.returncode:
        raise TaskError(f"--ref is '{ref}': expected a tag, branch or commit that is here")
    is_tag = not _ask(root, "show-ref", "--verify", "--quiet", f"refs/tags/{ref}").returncode
    return Commit(
        repository=_address(root, repository),
        ref=ref or _git(root, "branch", "--show-current") or "HEAD",
        id=commit.stdout.strip(),
        tag=ref if is_tag else "",
        folder=_git(root, "rev-parse", "--show-prefix"),
    )


def difference(project: Project, old: str, new: str) -> str:
    """Say which files of the project differ between two commits, and by how much."""
    if _ask(project.root, "cat-file", "-e", old).returncode:
        return f"the commit {old[:12]} that is there now is not here: nothing to compare with"
    return _git(project.root, "diff", "--stat", "--no-color", old, new, "--", ".")


def _address(root: Path, repository: str) -> str:
    remote = _ask(root, "remote", "get-url", "--", repository)
    if remote.returncode == 0:
        return remote.stdout.strip()
    if (root / repository).is_dir():
        return _git(root / repository, "rev-parse", "--show-toplevel")
    if ":" in repository:
        return repository
    known = ", ".join(_git(root, "remote").split()) or "none"
    raise TaskError(
        f"there is no remote '{repository}' that hosts could fetch from; there are: {known} "
        "(git remote add, or the target's 'repository' in invoke.yaml)"
    )


def _git(folder: Path, *arguments: str) -> str:
    done = _ask(folder, *arguments)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise TaskError(f"git {arguments[0]}: {words[-1].removeprefix('fatal: ')}")
    return done.stdout.strip()


def _ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**os.environ, **quiet}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError as error:
        raise TaskError(f"cannot run git: {error.strerror}") from error
