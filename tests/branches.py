"""A repository with a branch of each kind, and a server for it that runs the pre-receive hook."""

import os
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.branches import derived, table

from tests.support import PROJECT, run

# The rest of the file is no TOML before it is baked.
_TEXT = (PROJECT / "pyproject.toml").read_text("utf-8")
ROWS = _TEXT[_TEXT.index("[tool.branches.main]") : _TEXT.index("[tool.ruff]")]
GIVEN: dict[str, Any] = tomllib.loads(ROWS)["tool"]["branches"]
KINDS = table.parse(GIVEN)
ALLOWED = {
    ("develop", "main"),
    ("develop", "release"),
    ("dependency", "develop"),
    ("feature", "develop"),
    ("release", "main"),
    ("release", "develop"),
    ("docs", "release"),
    ("docs", "develop"),
    # what comes from a branch may take it in
    ("main", "develop"),
    ("main", "release"),
    ("main", "docs"),
    ("develop", "feature"),
    ("develop", "dependency"),
}
"""The pairs of a source and a target, by their kinds, that may merge."""
TOPICS = {
    "dependency": ("develop", "Pipfile.lock"),
    "feature": ("develop", "src/a.py"),
    "release": ("main", "CHANGELOG.md"),
    "docs": ("main", "docs/a.md"),
}
"""Where a branch of a kind begins, and a file that it changes."""
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CEILING_DIRECTORIES": tempfile.gettempdir(),  # nox keeps temporary files in the checkout
    **{f"GIT_{who}_NAME": "Test" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "test@example.com" for who in ("AUTHOR", "COMMITTER")},
}


@dataclass
class Clone:
    """A developer's repository and the bare one that it pushes to."""

    folder: Path
    server: Path
    start: dict[str, str] = field(default_factory=dict)
    """The commits of the server's branches after `build`."""

    def git(self, *arguments: str, stdin: str = "") -> str:
        """Return what Git prints in the developer's repository."""
        done = run(["git", *arguments], cwd=self.folder, env=ENVIRONMENT, stdin=stdin)
        return done.stdout.strip()

    def commit(
        self, *parents: str, file: str = "", subject: str = "feat: more", moved: str = ""
    ) -> str:
        """Make a commit that writes a file, or moves one there, in no work tree; return its id.

        Its other files are those of its last parent.
        """
        index = {**ENVIRONMENT, "GIT_INDEX_FILE": str(self.folder / ".git/index.test")}

        def git(*arguments: str) -> str:
            return run(["git", *arguments], cwd=self.folder, env=index).stdout.strip()

        git("read-tree", parents[-1] if parents else "--empty")
        if file:
            text = f"{file} {subject} {parents}"
            blob = (
                git("rev-parse", f"{parents[-1]}:{moved}")
                if moved
                else self.git("hash-object", "-w", "--stdin", stdin=text)
            )
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{file}")
        if moved:
            git("update-index", "--force-remove", moved)
        given = [part for parent in parents for part in ("-p", parent)]
        return self.git("commit-tree", git("write-tree"), *given, "-m", subject)

    def merge(self, source: str, target: str) -> str:
        """Make the commit that merges one branch of the server into another; return its id."""
        tips = (self.start[target], self.start[source])
        return self.commit(*tips, subject=f"Merge branch '{source}' into {target}")

    def push(self, *changes: str) -> subprocess.CompletedProcess[str]:
        """Push, past all local hooks."""
        command = ["git", "push", "--no-verify", "--quiet", "origin", *changes]
        return subprocess.run(
            command, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )

    def reset(self) -> None:
        """Give the server and the clone the branches that they had in the beginning."""
        for folder, prefix in ((self.folder, "refs/remotes/origin/"), (self.server, "refs/heads/")):
            git = ["git", "-C", str(folder)]
            wanted = {f"{prefix}{branch}": commit for branch, commit in self.start.items()}
            listed = run([*git, "for-each-ref", "--format=%(refname)"], cwd=folder).stdout.split()
            lines = [f"delete {ref}\n" for ref in listed if ref not in wanted]
            lines += [f"update {ref} {commit}\n" for ref, commit in wanted.items()]
            run([*git, "update-ref", "--stdin"], cwd=folder, stdin="".join(lines))


def empty(folder: Path) -> Clone:
    """Return a clone of a bare repository without commits, which runs the hook."""
    made = Clone(folder / "clone", folder / "server.git")
    for path, *options in ((made.folder,), (made.server, "--bare")):
        path.mkdir(parents=True)
        run(["git", "init", "--quiet", "--initial-branch=main", *options], cwd=path)
    hook = made.server / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(derived.hook(KINDS))
    hook.chmod(0o755)
    made.git("remote", "add", "origin", str(made.server))
    return made


def build(folder: Path) -> Clone:
    """Return a clone of a bare repository with two branches of each kind that has several.

    Each has commits that no other branch has; where they began has moved on since.
    """
    made = empty(folder)
    first = made.commit(file="README.md", subject="chore: begin")
    tips = {"main": first, "develop": first}
    for branch, file in (("main", "CHANGELOG.md"), ("develop", "src/b.py")):
        work = made.commit(first, file=file)
        tips[branch] = made.commit(first, work, subject=f"Merge into {branch}")
    for kind, (above, file) in TOPICS.items():
        for name in ("a", "b"):
            start = tips[above]
            tips[f"{kind}/{name}"] = made.commit(start, file=file, subject=f"feat: {kind} {name}")
    for branch in ("main", "develop"):
        work = made.commit(tips[branch], file=f"src/{branch}.py")
        tips[branch] = made.commit(tips[branch], work, subject=f"Merge into {branch} again")
    made.start = tips
    hook = made.server / "hooks/pre-receive"
    hook.chmod(0o644)  # these branches are there before the hook runs
    made.git("push", "--quiet", "origin", *(f"{tips[name]}:refs/heads/{name}" for name in tips))
    hook.chmod(0o755)
    return made


def branch_of(kind: str, name: str = "a") -> str:
    """Return the branch of a kind that `build` makes."""
    return f"{kind}/{name}" if kind in TOPICS else kind
