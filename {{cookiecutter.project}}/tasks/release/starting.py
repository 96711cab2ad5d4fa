"""Begins a release: a branch from main with the version and the changelog in one commit.

The commit is made without touching the work tree, so the branch has all of it or is not there.
"""

import datetime as dt
import re
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..lib import git
from ..lib.console import TaskError, step
from ..lib.process import last_lines
from ..lib.project import Project
from ..lib.steps import Step
from . import branches, changelog
from .branches import Branches
from .versions import commitizen, tags, wanted

SETTINGS, CHANGELOG = "pyproject.toml", "CHANGELOG.md"
_VERSION = re.compile(
    r"""(?msx) (?P<before> ^\[project\] [^\n]* \n (?: (?!\[) [^\n]*\n )*? version [ ]* = [ ]*)
        (?P<quote> ["']) [^"'\n]* (?P=quote)"""
)


@dataclass(frozen=True)
class Start:
    """A release that begins: its version, and the version before it, if there is one."""

    project: Project
    branches: Branches
    version: str
    last: str
    tag: str

    @property
    def branch(self) -> str:
        """The branch on which the release is prepared."""
        return self.branches.of(self.version)

    @property
    def steps(self) -> list[Step]:
        """What is to be done, in its order."""
        return [
            Step(
                f"the branch {self.branch} from {self.branches.main}, "
                "with the version and the changelog",
                self._is_committed,
                self._commit,
            ),
            Step(f"a switch to {self.branch}", self._is_there, self._switch),
        ]

    def _is_committed(self) -> bool:
        root, tip = self.project.root, _tip(self.project.root, self.branch)
        return bool(tip) and announces(root, tip, self.version)

    def _is_there(self) -> bool:
        return git.run(self.project.root, "branch", "--show-current") == self.branch

    def _switch(self) -> None:
        git.run(self.project.root, "switch", "--quiet", self.branch)

    def _commit(self) -> None:
        root, old = self.project.root, _tip(self.project.root, self.branch)
        base = old or self.branches.main
        with step("what the commits say"):
            edits = self._edits(base)
        if self._is_there():  # a branch that is checked out must not move below its work tree
            git.run(root, "switch", "--quiet", "--detach")
        tree = _tree(root, base, edits)
        message = f"chore(release): {self.version}"
        made = git.run(root, "commit-tree", tree, "-p", base, "-m", message)
        git.run(root, "update-ref", f"refs/heads/{self.branch}", made, old or "0" * len(made))

    def _edits(self, ref: str) -> dict[str, str]:
        """Return the files of a commit that the release changes, with their new texts."""
        root = self.project.root
        old = {name: _show(root, ref, name) for name in (SETTINGS, CHANGELOG)}
        new = {SETTINGS: with_version(old[SETTINGS], self.version), CHANGELOG: old[CHANGELOG]}
        if changelog.section(old[CHANGELOG], self.version) is None:
            day = dt.date.today().isoformat()
            said = self._generated()
            new[CHANGELOG] = changelog.released(old[CHANGELOG], self.version, day, said)
        return {name: text for name, text in new.items() if text != old[name]}

    def _generated(self) -> str:
        since = ["--start-rev", self.tag] if self.tag else []
        made = commitizen(
            self.project, "changelog", "--dry-run", "--unreleased-version", self.version, *since
        )
        if made.returncode and "NO_COMMITS_FOUND" not in made.stderr:
            said = last_lines(made.stdout + made.stderr)
            raise TaskError(f"commitizen makes no changelog of {self.version}:{said}")
        return made.stdout if not made.returncode else ""


def begin(project: Project, version: str = "") -> Start:
    """Return the release to begin; `version` is empty where the commits decide it.

    Raises `TaskError` on another branch than the one releases begin from, for changes that are in
    no commit, and for a version that cannot be the next one.
    """
    root, named = project.root, branches.load(project.root)
    require_clean(root)
    head, main = git.run(root, "rev-parse", "HEAD"), _tip(root, named.main)
    if not main:
        raise TaskError(f"there is no branch {named.main}, from which releases begin")
    known = tags(project)
    if head not in (main, _tip(root, named.of(project.version))):
        here, from_ = git.run(root, "branch", "--show-current") or head[:12], named.main
        raise TaskError(f"you are on {here}: releases begin from {from_} (git switch {from_})")
    chosen = wanted(project, version)
    last = known.last()
    return Start(project, named, chosen, last, known.name(last) if last else "")


def require_clean(root: Path) -> None:
    """Raise `TaskError` outside of Git, and for changes that are in no commit."""
    if not git.ask(root, "ls-tree", "HEAD", SETTINGS).stdout:
        raise TaskError(f"{root.name} has no commit: a release is one of Git's commits")
    if changed := git.run(root, "status", "--porcelain", "--", "."):
        name = changed.splitlines()[0][2:].strip()
        raise TaskError(f"{name} is changed and in no commit: commit it, or `git stash`")


def announces(root: Path, ref: str, version: str) -> bool:
    """Return whether pyproject.toml and CHANGELOG.md of a commit say that it is a version."""
    settings = tomllib.loads(_show(root, ref, SETTINGS) or "[project]")
    section = changelog.section(_show(root, ref, CHANGELOG), version)
    return settings["project"].get("version") == version and section is not None


def with_version(text: str, version: str) -> str:
    """Return pyproject.toml with another version of the project, and nothing else changed.

    Raises `TaskError` where no line of `[project]` says which version it is.
    """
    if tomllib.loads(text)["project"].get("version") == version:
        return text
    changed = _VERSION.sub(rf"\g<before>\g<quote>{version}\g<quote>", text, count=1)
    if tomllib.loads(changed)["project"].get("version") != version:
        raise TaskError(f"{SETTINGS} has no line 'version = \"…\"' in [project]")
    return changed


def _tip(root: Path, branch: str) -> str:
    return git.answer(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")


def _show(root: Path, ref: str, name: str) -> str:
    shown = git.ask(root, "show", f"{ref}:./{name}")
    return "" if shown.returncode else shown.stdout


def _tree(root: Path, base: str, files: dict[str, str]) -> str:
    """Return the tree of a commit in which some files have other texts."""
    inside = git.run(root, "rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory() as folder:
        own = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git.run(root, "read-tree", base, env=own)
        for name, text in files.items():
            blob = git.run(root, "hash-object", "-w", "--stdin", stdin=text)
            entry = f"100644,{blob},{inside}{name}"
            git.run(root, "update-index", "--add", "--cacheinfo", entry, env=own)
        return git.run(root, "write-tree", env=own)
