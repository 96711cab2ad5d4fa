#!/usr/bin/env python3
"""Refuses pushes that break the branch conventions: `hooks/pre-receive` of a bare Git repository.

`invoke branch.sync` writes it to `ops/branches/pre-receive` with the table in it, as the server has
no pyproject.toml to read. It needs Git and Python 3.8 or newer there. The tasks ask the same class
before anything is pushed.

A branch that takes requests only may get commits from branches of the kinds that may merge into it,
and merge commits. Any other branch may get commits of its own besides. None may get commits of a
branch that may not merge into it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

KINDS: dict[str, dict[str, Any]] = json.loads(r"""{}""")
"""What each kind of branch may do, as `rows` in `derived.py` spells it."""
HEADS = "refs/heads/"
NOTHING = re.compile(r"0+")


class GitError(Exception):
    """Git failed; it has said why."""


class Update(NamedTuple):
    """A branch that a push moves; of two commit ids one is all zeros where there is no branch."""

    branch: str
    old: str
    new: str


class Repository:
    """A repository: its branches before a push, and those that the push leaves."""

    def __init__(self, kinds: dict[str, dict[str, Any]], folder: str = ".") -> None:
        self.kinds = kinds
        self.folder = folder
        self.before: dict[str, set[str]] = {}
        self.after: dict[str, set[str]] = {}

    def holding(self, before: dict[str, set[str]], updates: Iterable[Update] = ()) -> Repository:
        """Take note of the branches, each with the commits that it names, and of a push."""
        moved = {branch: {new} - {"0" * len(new)} for branch, _, new in updates}
        self.before, self.after = before, {**before, **moved}
        return self

    def judge(self, update: Update) -> list[str]:
        """Return what is wrong with the change of one branch, one line each."""
        branch, old, new = update
        kind, gone = self.kind_of(branch), NOTHING.fullmatch(new)
        if kind is None:
            known = ", ".join(row["name"] for row in self.kinds.values())
            return [] if gone else [f"{branch} is no branch of this project: expected {known}"]
        row = self.kinds[kind]
        if gone:
            return [f"{branch} cannot be deleted"] if row["fixed"] else []
        if NOTHING.fullmatch(old):
            if row["fixed"]:
                return []  # the first push to a new repository
        elif row["kept"] and self.git("rev-list", "--max-count=1", old, f"^{new}"):
            return [f"{branch} cannot be rewritten: the pushed one lacks commits that it has"]
        return self.content(branch, new)

    def content(self, branch: str, new: str) -> list[str]:
        """Return what is wrong with the commits that a branch gets, one line each."""
        row, allowed = self.row(branch), self.allowed(branch)
        own = self.commits([new], allowed)
        foreign = self.intruder(own, branch, allowed)
        if foreign:
            where = " or ".join(self.row(foreign).get("goes", ())) or "no other branch"
            return [f"{foreign} may not merge into {branch}: it merges into {where}"]
        direct = [] if row["direct"] else self.commits([new], allowed, "--max-parents=1")
        if direct:
            what = self.git("log", "-1", "--no-show-signature", "--format=%h '%s'", direct[0])
            takes = " or ".join(self.kinds[key]["name"] for key in row["takes"]) or "nothing"
            return [f"{branch} takes requests only: {what} is on no branch of {takes}"]
        wrong = [file for file in self.files(own) if not self.may_touch(branch, file)]
        return [f"{branch} may not change {wrong[0]}: {row['says']}"] if wrong else []

    def own(self, branch: str, new: str) -> list[str]:
        """Return the commits of a branch that it does not have from another, without merges."""
        return self.commits([new], self.allowed(branch), "--max-parents=1")

    def row(self, branch: str) -> dict[str, Any]:
        """Return what is known of the kind of a branch."""
        return self.kinds.get(self.kind_of(branch) or "", {})

    def kind_of(self, branch: str) -> str | None:
        """Return the kind of the branch with a name; None for a name that no kind has."""
        found = (key for key, row in self.kinds.items() if re.fullmatch(row["pattern"], branch))
        return next(found, None)

    def may_touch(self, branch: str, file: str) -> bool:
        """Return whether a branch may change a file."""
        patterns = self.row(branch)["files"]
        return not patterns or any(re.fullmatch(each, file, re.DOTALL) for each in patterns)

    def allowed(self, target: str) -> set[str]:
        """Return the commits from which a branch may take all that they have."""
        found, takes = set(self.before.get(target, ())), self.row(target)["takes"]
        for branches in (self.before, self.after):
            for branch, tips in branches.items():
                if branch != target and self.kind_of(branch) in takes:
                    found |= tips
        return found

    def barred(self, target: str) -> dict[str, set[str]]:
        """Return the branches from which a branch may take nothing."""
        return {
            branch: tips
            for branch, tips in sorted(self.after.items())
            if branch != target and tips and self.kind_of(branch) not in self.row(target)["takes"]
        }

    def intruder(self, own: list[str], target: str, allowed: set[str]) -> str:
        """Return a barred branch that has some of a branch's own commits; empty if none has.

        One that was taken in as a whole goes before one that merely shares some commits with it.
        """
        wanted, barred = set(own), self.barred(target)
        every = {commit for tips in barred.values() for commit in tips}
        if not own or not every or wanted.isdisjoint(self.commits(every, allowed)):
            return ""
        whole = [branch for branch, tips in barred.items() if not wanted.isdisjoint(tips)]
        parts = (
            branch
            for branch, tips in barred.items()
            if not wanted.isdisjoint(self.commits(tips, allowed))
        )
        return whole[0] if whole else next(parts)

    def commits(self, wanted: Iterable[str], without: set[str], *options: str) -> list[str]:
        """Return the commits that some have, and others have not, the newest first."""
        given = [*sorted(wanted), *(f"^{commit}" for commit in sorted(without))]
        return self.git("rev-list", *options, "--stdin", given=given).split()

    def files(self, changed_by: Iterable[str]) -> list[str]:
        """Return the files that commits change; of a merge, those that it edits itself."""
        shown = ["-r", "--root", "--no-commit-id", "--name-only", "--no-renames", "-c", "-z"]
        said = self.git("diff-tree", "--stdin", *shown, given=changed_by)
        return sorted(set(said.split("\0")) - {""})

    def heads(self) -> dict[str, set[str]]:
        """Return the branches of the repository, and the commits that they name."""
        said = self.git("for-each-ref", "--format=%(objectname) %(refname)", HEADS)
        pairs = (line.split(" ", 1) for line in said.splitlines())
        return {ref[len(HEADS) :]: {commit} for commit, ref in pairs}

    def git(self, *arguments: str, given: Iterable[str] = ()) -> str:
        """Return what Git prints; raise `GitError` where it fails."""
        done = subprocess.run(
            ["git", "-C", self.folder, *arguments],
            input="".join(f"{line}\n" for line in given),
            stdout=subprocess.PIPE,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        if done.returncode:
            raise GitError(f"git {arguments[0]} failed with exit code {done.returncode}")
        return done.stdout.strip("\n")


def plain(text: str) -> str:
    """Return a text without what would move a terminal's cursor: anyone may have named things."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def main(lines: Iterable[str]) -> int:
    """Judge what a push wants to change; 1 refuses all of it."""
    pushed = (line.rstrip("\n").split(" ", 2) for line in lines)
    updates = [Update(ref[len(HEADS) :], old, new) for old, new, ref in pushed
               if ref.startswith(HEADS)]  # fmt: skip
    here = Repository(KINDS)
    try:
        here.holding(here.heads(), updates)
        problems = [problem for update in updates for problem in here.judge(update)]
    except GitError as error:
        problems = [str(error)]
    for problem in problems:
        print("refused:", plain(problem), file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(sys.stdin))
