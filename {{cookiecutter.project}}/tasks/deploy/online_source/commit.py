"""Finds the commit to deploy, and gets it from where the hosts will get it."""

import re
from dataclasses import dataclass
from pathlib import Path

from ...lib import git
from ...lib.console import TaskError
from ...lib.process import first_line
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
        """The repository's address without credentials."""
        return _CREDENTIALS.sub("//", self.repository)

    def check_out(self, into: Path) -> Path:
        """Fetch the commit as a host does into the empty folder `into`; return the project folder.

        Raises `TaskError` where the repository cannot be asked or does not have it.
        """
        git.run(into, "init", "--quiet")
        fetched = git.ask(into, "fetch", "--quiet", "--depth", "1", self.repository, self.id)
        if fetched.returncode and _ABSENT.search(fetched.stderr):
            where = f"{self.ref} ({self.id[:12]}) is not in {self.shown}"
            raise TaskError(f"{where}: hosts could not get it, push it first")
        if fetched.returncode:
            why = _CREDENTIALS.sub("//", first_line(fetched.stderr, "Git does not say why"))
            raise TaskError(f"cannot fetch from {self.shown}: {why}")
        git.run(into, "checkout", "--quiet", "--detach", self.id)
        return into / self.folder


def find(project: Project, repository: str, ref: str) -> Commit:
    """Return the commit that `ref` names, or the one that is checked out, where hosts can get it.

    `repository` is a remote's name, a folder or a URL. Raises `TaskError` outside of Git, for
    changes that are in no commit, and for a ref or a remote that does not exist.
    """
    root = project.root
    # A repository around the project that does not track it does not count.
    if not git.ask(root, "ls-tree", "HEAD", "pyproject.toml").stdout:
        raise TaskError(f"{root.name} has no commit: hosts get the source by Git")
    if not ref and git.run(root, "status", "--porcelain", "--", "."):
        raise TaskError("there are uncommitted changes: commit and push them, or name a --ref")
    wanted = ref or "HEAD"
    commit = git.ask(
        root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}"
    )
    if commit.returncode:
        raise TaskError(f"--ref is '{ref}': expected a tag, branch or commit that is here")
    is_tag = not git.ask(root, "show-ref", "--verify", "--quiet", f"refs/tags/{ref}").returncode
    return Commit(
        repository=_address(root, repository),
        ref=ref or git.run(root, "branch", "--show-current") or "HEAD",
        id=commit.stdout.strip(),
        tag=ref if is_tag else "",
        folder=git.run(root, "rev-parse", "--show-prefix"),
    )


def difference(project: Project, old: str, new: str) -> str:
    """Return which files of the project differ between two commits, and by how much."""
    if git.ask(project.root, "cat-file", "-e", old).returncode:
        return f"the commit {old[:12]} that is there now is not here: nothing to compare with"
    return git.run(project.root, "diff", "--stat", "--no-color", old, new, "--", ".")


def _address(root: Path, repository: str) -> str:
    remote = git.ask(root, "remote", "get-url", "--", repository)
    if remote.returncode == 0:
        return remote.stdout.strip()
    if (root / repository).is_dir():
        return git.run(root / repository, "rev-parse", "--show-toplevel")
    if ":" in repository:
        return repository
    known = ", ".join(git.run(root, "remote").split()) or "none"
    raise TaskError(
        f"there is no remote '{repository}' that hosts could fetch from; there are: {known} "
        "(git remote add, or the target's 'repository' in invoke.yaml)"
    )
