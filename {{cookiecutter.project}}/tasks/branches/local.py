"""Judges branches of the developer's own repository, as the hook on a server will."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..lib import git
from ..lib.console import TaskError
from .derived import rows
from .pre_receive import GitError, Repository, Update
from .table import Kind, Table, kind_of, may_merge, names, targets, touches

_ZEROS = "0" * 40


@dataclass(frozen=True)
class Local:
    """A repository with the conventions of its table."""

    root: Path
    table: Table

    @property
    def branch(self) -> str:
        """The branch that is checked out; empty where there is none."""
        return git.answer(self.root, "symbolic-ref", "--quiet", "--short", "HEAD")

    @property
    def heads(self) -> dict[str, str]:
        """The local branches, and the commits that they name."""
        return {name: commit for remote, name, commit in self._refs() if not remote}

    @property
    def remote(self) -> dict[str, str]:
        """The branches of remotes as they were last seen, and the commits that they name."""
        return {name: commit for remote, name, commit in self._refs() if remote}

    def kind(self, branch: str) -> Kind:
        """Return the kind of a branch; raise `TaskError` for a name that no row allows."""
        if not branch:
            raise TaskError("no branch is checked out; `invoke branch.init` makes a repository")
        found = kind_of(self.table, branch)
        if found is None:
            raise TaskError(f"the branch is '{branch}': expected {names(self.table)}")
        return found

    def tip(self, branch: str) -> str:
        """Return the commit of a branch, here or on a remote; empty for one that is nowhere."""
        return self.heads.get(branch) or self.remote.get(branch, "")

    def pushed(self, branch: str, new: str = "") -> list[str]:
        """Return what a server would say to a push of a branch as it is here (or of a commit)."""
        self.kind(branch)
        update = Update(branch, self.remote.get(branch, _ZEROS), new or self.tip(branch))
        here = self._repository(lambda remote, name: bool(remote) or name != branch)
        return _ask(lambda: here.judge(update))

    def about_to_push(self, environ: Mapping[str, str]) -> list[str]:
        """Return what a server would say to the push that a hook was started for.

        The program that runs the hooks names the branch and the commit in the environment.
        """
        branch = environ.get("PRE_COMMIT_REMOTE_BRANCH", "").removeprefix("refs/heads/")
        if not branch:
            raise TaskError("PRE_COMMIT_REMOTE_BRANCH is not set: --pushed is for Git hooks")
        if branch.startswith("refs/"):
            return []  # a tag
        return self.pushed(branch, environ.get("PRE_COMMIT_TO_REF", ""))

    def brought(self, branch: str) -> list[str]:
        """Return what is wrong with all that a branch brings into a request, one line each."""
        if self.kind(branch).fixed:
            return []  # it was judged when it took that in
        here = self._repository(lambda _, name: name != branch)
        return _ask(lambda: here.content(branch, self.tip(branch)))

    def own(self, branch: str) -> list[str]:
        """Return the commits, the newest first, that a branch brings into a request; no merges."""
        if self.kind(branch).fixed:
            return []
        here = self._repository(lambda _, name: name != branch)
        return _ask(lambda: here.own(branch, self.tip(branch)))

    def committed(self) -> list[str]:
        """Return what is wrong with a commit, or a merge, that is about to be made."""
        branch = self.branch
        if not branch:
            return []  # amid a rebase; the push is checked
        kind = self.kind(branch)
        if merged := self._merged():
            here = self._repository()
            return _ask(lambda: [p for commit in merged for p in here.content(branch, commit)])
        if kind.push == "nobody":
            others = [each for each in self.table.values() if not each.fixed]
            starting = [each.key for each in others if each.comes_from == kind.key]
            how = " or ".join(f"`invoke branch.start {key} NAME`" for key in starting)
            return [f"{branch} takes requests only: {how or 'commit to another branch'}"]
        said = git.run(self.root, "diff", "--cached", "--name-only", "--no-renames", "-z")
        return self.untouchable(branch, said.split("\0"))

    def untouchable(self, branch: str, files: Sequence[str]) -> list[str]:
        """Return a line for each file that a branch may not change."""
        kind = self.kind(branch)
        allowed = ", ".join(kind.files)
        return [
            f"{branch} may not change {file}: {kind.name} may change {allowed}"
            for file in files
            if file and not touches(kind, file)
        ]

    def request(self, source: str, target: str, files: Sequence[str] | None = None) -> list[str]:
        """Return what forbids to merge a branch into another, one line each.

        With `files`, those that the request changes, ask Git nothing: names and files alone count.
        """
        from_kind, to_kind = self.kind(source), self.kind(target)
        if not may_merge(from_kind, to_kind):
            into = " or ".join(kind.name for kind in targets(self.table, from_kind))
            where = into or "no other branch"
            return [f"{source} may not merge into {target}: it merges into {where}"]
        if files is not None:
            return self.untouchable(source, files)
        self._require(source, target)
        return self.brought(source)

    def _require(self, source: str, target: str) -> None:
        """Raise `TaskError` where Git does not have what a request is judged by."""
        above = self.table.get(self.kind(source).comes_from)
        for branch in (source, target, above.name if above and above.fixed else target):
            if not self.tip(branch):
                raise TaskError(f"{branch} is not here: fetch it, or name the files with --files")
        if git.answer(self.root, "rev-parse", "--is-shallow-repository") == "true":
            raise TaskError("the history is cut off: fetch all of it (`git fetch --unshallow`)")

    def _repository(self, counts: Callable[[str, str], bool] = lambda *_: True) -> Repository:
        """Return the repository with those branches that count: remote (or empty) and name."""
        before: dict[str, set[str]] = {}
        for remote, name, commit in self._refs():
            if counts(remote, name):
                before.setdefault(name, set()).add(commit)
        return Repository(rows(self.table), str(self.root)).holding(before)

    def _merged(self) -> list[str]:
        """Return the commits that the merge under way takes in."""
        path = git.run(self.root, "rev-parse", "--git-path", "MERGE_HEAD")
        file = self.root / path
        return file.read_text(encoding="utf-8").split() if file.is_file() else []

    def _refs(self) -> Iterator[tuple[str, str, str]]:
        """Yield remote (empty for local branches), branch, and commit."""
        asked = ["--format=%(objectname) %(symref) %(refname)", "refs/heads/", "refs/remotes/"]
        remotes = git.answer(self.root, "remote").splitlines()
        for line in git.run(self.root, "for-each-ref", *asked).splitlines():
            commit, pointed, ref = line.split(" ", 2)
            if pointed:
                continue  # such as refs/remotes/origin/HEAD
            if found := re.fullmatch(r"refs/heads/(.+)", ref):
                yield "", found[1], commit
            for remote in remotes:
                if ref.startswith(f"refs/remotes/{remote}/"):
                    yield remote, ref[len(f"refs/remotes/{remote}/") :], commit


def _ask(question: Callable[[], list[str]]) -> list[str]:
    try:
        return question()
    except GitError as error:
        raise TaskError(str(error)) from error
