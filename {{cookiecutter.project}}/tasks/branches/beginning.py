"""Makes a project a Git repository: its first commit, the branches that always are, its hooks."""

import re
import shutil
from pathlib import Path

from ..lib import git
from ..lib.console import TaskError, step
from ..lib.environment import ensure, interpreter
from ..lib.process import run
from ..lib.project import Project
from .table import Table

FIRST = "chore: begin the project"


def make(project: Project, table: Table) -> list[str]:
    """Make what is not there yet; return what was made."""
    made = [*_repository(project.root, table), *_branches(project.root, table)]
    for kind in table.values():
        if kind.fixed and kind.push == "nobody":
            # Git runs no hook for a merge that only moves a branch forward.
            git.run(project.root, "config", f"branch.{kind.name}.mergeOptions", "--no-ff")
    git.run(project.root, "config", "pull.ff", "only")
    with step("Git hooks"):
        _hooks(project)
    return made


def _repository(root: Path, table: Table) -> list[str]:
    """Make the repository and its first commit."""
    above = git.answer(root, "rev-parse", "--show-toplevel")
    if above and Path(above).resolve() != root.resolve():
        raise TaskError(f"{root} lies in the repository {above}: move it out of there first")
    first = next(kind.name for kind in table.values() if not kind.comes_from)
    made = []
    born = above and git.answer(root, "rev-parse", "--quiet", "--verify", "HEAD")
    if not born and git.ask(root, "var", "GIT_AUTHOR_IDENT").returncode:
        how = "set user.name and user.email by `git config --global`"
        raise TaskError(f"Git does not know who you are: {how}")
    if not above:
        git.run(root, "init", "--quiet", f"--initial-branch={first}")
        made.append("the repository")
    if not born:
        git.run(root, "symbolic-ref", "HEAD", f"refs/heads/{first}")
        git.run(root, "add", "--all")
        git.run(root, "commit", "--quiet", "--no-verify", f"--message={FIRST}")
        made.append(f"the first commit of {first}")
    return made


def _branches(root: Path, table: Table) -> list[str]:
    """Make the branches of one name that are not here, from the remote's where it has them."""
    fixed = sorted((k for k in table.values() if k.fixed), key=lambda k: _depth(table, k.key))
    known = git.run(root, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
    refs = known.splitlines()
    if f"refs/heads/{fixed[0].name}" not in refs:
        how = f"`git branch --move NAME {fixed[0].name}` renames another"
        raise TaskError(f"the repository has no branch {fixed[0].name}: {how}")
    made = []
    for kind in fixed[1:]:
        if f"refs/heads/{kind.name}" in refs:
            continue
        remote = [ref for ref in refs if re.fullmatch(rf"refs/remotes/[^/]+/{kind.pattern}", ref)]
        git.run(root, "branch", kind.name, *(remote[:1] or [table[kind.comes_from].name]))
        made.append(f"the branch {kind.name}")
    current = git.answer(root, "symbolic-ref", "--quiet", "--short", "HEAD")
    if made and current == fixed[0].name:
        git.run(root, "switch", "--quiet", fixed[-1].name)  # daily work goes on there
    return made


def _depth(table: Table, key: str) -> int:
    above = table[key].comes_from
    return 1 + _depth(table, above) if above else 0


def _hooks(project: Project) -> None:
    """Install the hooks, with the locked program that runs them beside the repository's own files.

    There it outlives `invoke clean` and every other environment.
    """
    program = ensure(project, interpreter(project), "branches").command("prek")
    folder = Path(git.run(project.root, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    kept = folder / program.name
    part = kept.with_name(f"{kept.name}.part")
    shutil.copy2(program, part)
    part.replace(kept)
    run([kept, "install", "--quiet"], cwd=project.root)
