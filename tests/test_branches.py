"""Branches, in real repositories: what may merge, by each way in which that is asked.

`push` goes to a bare repository, past all hooks of the developer's: its own hook must refuse.
"""

import ast
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tasks.branches.derived import hook
from tasks.branches.local import Local

from tests.branches import ALLOWED, ENVIRONMENT, KINDS, TOPICS, Clone, branch_of, build, empty
from tests.conftest import Bake
from tests.support import offered_here, run

PAIRS = [
    (source, target)
    for source in KINDS
    for target in KINDS
    if source != target or source in TOPICS  # there is one main, which merges nowhere in itself
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return build(tmp_path_factory.mktemp("branches"))


@pytest.fixture
def clone(built: Clone) -> Clone:
    """Return the clone, and the server, as they were built."""
    built.reset()
    return built


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair(clone: Clone, source: str, target: str) -> None:
    """Ask by the function, by the hook of a merge, and by a push that skips that."""
    branches = (branch_of(source, "b" if source == target else "a"), branch_of(target))
    allowed = (source, target) in ALLOWED
    refusal = f"{branches[0]} may not merge into {branches[1]}: it merges into "
    here = Local(clone.folder, KINDS)
    assert_refused(here.request(*branches), allowed, refusal)
    clone.git("update-ref", f"refs/heads/{branches[1]}", clone.start[branches[1]])
    clone.git("symbolic-ref", "HEAD", f"refs/heads/{branches[1]}")
    head = clone.folder / ".git/MERGE_HEAD"
    head.write_text(clone.start[branches[0]] + "\n")
    assert_refused(here.committed(), allowed, refusal)
    head.unlink()
    pushed = clone.push(f"{clone.merge(*branches)}:refs/heads/{branches[1]}")
    assert (pushed.returncode == 0) is allowed, pushed.stderr
    assert allowed or refusal in pushed.stderr


def assert_refused(found: list[str], allowed: bool, refusal: str) -> None:
    assert len(found) == int(not allowed), found
    assert allowed or found[0].startswith(refusal)


def test_a_merge_without_a_merge_commit_is_judged_too(clone: Clone) -> None:
    """What Git calls a fast-forward runs none of the developer's hooks."""
    for branch, above in (("feature/c", "develop"), ("docs/c", "main")):
        tip = clone.commit(clone.start[above], file="docs/c.md")
        assert clone.push(f"{tip}:refs/heads/{branch}").returncode == 0
        pushed = clone.push(f"{tip}:refs/heads/{above}")
        allowed = above == "develop"
        assert (pushed.returncode == 0) is allowed, pushed.stderr
        assert allowed or "docs/c may not merge into main: it merges into" in pushed.stderr


REFUSED = {
    "another name": ("bugfix/x", "feature/a", "src/c.py", "bugfix/x is no branch of this project"),
    "a name with more": ("feature/a/b", "develop", "a.py", "feature/a/b is no branch of this pro"),
    "a commit on main": ("main", "main", "src/c.py", "main takes requests only: "),
    "a commit on develop": ("develop", "develop", "src/c.py", "develop takes requests only: "),
    "code by an update": ("dependency/a", "dependency/a", "src/c.py", "may not change src/c.py: "),
    "code as docs": ("docs/c", "main", "src/c.py", "docs/c may not change src/c.py: docs/* may"),
    "from the wrong branch": ("feature/c", "main", "src/c.py", "main may not merge into feature/c"),
    "on a branch beside": ("feature/c", "feature/a", "x", "feature/a may not merge into feature/c"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_push_is_refused(clone: Clone, case: str) -> None:
    branch, parent, file, said = REFUSED[case]
    pushed = clone.push(f"{clone.commit(clone.start[parent], file=file)}:refs/heads/{branch}")
    assert pushed.returncode == 1
    assert said in pushed.stderr


ACCEPTED = {
    "a new feature": ("feature/c", "develop", "src/c.py"),
    "more of a feature": ("feature/a", "feature/a", "src/c.py"),
    "an update": ("dependency/2026-11-26", "develop", "Pipfile.lock"),
    "the version": ("release/1.2.0", "main", "pyproject.toml"),
    "a page": ("docs/c", "main", "docs/deeper/c.md"),
    "a feature anew": ("feature/a", "develop", "src/d.py"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_push_is_accepted(clone: Clone, case: str) -> None:
    branch, parent, file = ACCEPTED[case]
    commit = clone.commit(clone.start[parent], file=file)
    pushed = clone.push(f"+{commit}:refs/heads/{branch}")
    assert pushed.returncode == 0, pushed.stderr


@pytest.mark.parametrize("branch", ["main", "develop"])
def test_a_branch_that_always_is_cannot_be_deleted(clone: Clone, branch: str) -> None:
    pushed = clone.push(f":refs/heads/{branch}")
    assert f"refused: {branch} cannot be deleted" in pushed.stderr


@pytest.mark.parametrize("branch", ["main", "release/a"])
def test_a_branch_that_is_kept_cannot_be_rewritten(clone: Clone, branch: str) -> None:
    older = clone.git("rev-parse", f"{clone.start[branch]}^")
    pushed = clone.push(f"+{older}:refs/heads/{branch}")
    assert f"refused: {branch} cannot be rewritten: " in pushed.stderr


def test_a_feature_can_be_deleted_or_renamed(clone: Clone) -> None:
    assert clone.push(":refs/heads/feature/b").returncode == 0
    new = f"{clone.start['feature/a']}:refs/heads/feature/new"
    assert "feature/a may not merge into feature/new" in clone.push(new).stderr
    assert clone.push(new, ":refs/heads/feature/a").returncode == 0


def test_a_branch_and_its_merge_can_be_pushed_together(clone: Clone) -> None:
    feature = clone.commit(clone.start["develop"], file="src/c.py")
    merge = clone.commit(clone.start["develop"], feature)
    alone = clone.push(f"{merge}:refs/heads/develop")
    assert (
        "is on no branch of main or dependency/* or feature/* or release/* or docs/*"
        in alone.stderr
    )
    both = clone.push(f"{feature}:refs/heads/feature/c", f"{merge}:refs/heads/develop")
    assert both.returncode == 0, both.stderr


@pytest.mark.parametrize("together", [True, False])
def test_a_whole_release(clone: Clone, together: bool) -> None:
    """Merge develop into main, prepare a release there, and move both on to what it has."""
    merge = clone.merge("develop", "main")
    assert clone.push(f"{merge}:refs/heads/main").returncode == 0
    version = clone.commit(merge, file="pyproject.toml", subject="chore(release): 1.2.0")
    branches = [f"{version}:refs/heads/{name}" for name in ("release/1.2.0", "main", "develop")]
    for pushed in [branches] if together else [[branch] for branch in branches]:
        done = clone.push(*pushed)
        assert done.returncode == 0, done.stderr


def test_one_bad_branch_refuses_the_whole_push(clone: Clone) -> None:
    good = f"{clone.commit(clone.start['develop'], file='src/c.py')}:refs/heads/feature/c"
    assert clone.push(good, f"{clone.start['feature/a']}:refs/heads/bugfix/x").returncode == 1
    assert "feature/c" not in clone.git("ls-remote", "origin")


def test_a_merge_that_edits_other_files_is_seen(clone: Clone) -> None:
    tips = (clone.start["dependency/a"], clone.start["develop"])
    pushed = clone.push(f"{clone.commit(*tips, file='src/evil.py')}:refs/heads/dependency/a")
    assert "dependency/a may not change src/evil.py" in pushed.stderr


def test_a_file_that_was_moved_away_counts(clone: Clone) -> None:
    """Git would show a moved file by its new name alone."""
    commit = clone.commit(clone.start["main"], file="docs/x.md", moved="src/main.py")
    pushed = clone.push(f"{commit}:refs/heads/docs/c")
    assert "docs/c may not change src/main.py" in pushed.stderr


def test_a_subject_cannot_write_to_the_terminal(clone: Clone) -> None:
    commit = clone.commit(clone.start["main"], file="a", subject="feat: \x1b]0;evil\x07 \x1b[2J")
    said = clone.push(f"{commit}:refs/heads/main").stderr
    assert "main takes requests only" in said
    assert "\x1b]" not in said
    assert "\x1b[2J" not in said


def test_tags_are_nobodys_branch(clone: Clone) -> None:
    assert clone.push(f"{clone.start['main']}:refs/tags/v1").returncode == 0


def test_an_empty_server_takes_the_first_push(tmp_path: Path) -> None:
    clone = empty(tmp_path)
    first = clone.commit(file="README.md", subject="chore: begin")
    pushed = clone.push(f"{first}:refs/heads/main", f"{first}:refs/heads/develop")
    assert pushed.returncode == 0, pushed.stderr
    again = clone.push(f"{clone.commit(first, file='a')}:refs/heads/main")
    assert "main takes requests only" in again.stderr


def test_the_hook_is_python_3_8() -> None:
    """A server may have an old Python; the hook uses the standard library alone."""
    tree = ast.parse(hook(KINDS), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else
                     [alias.name for alias in node.names])
    }  # fmt: skip
    assert imported == {"__future__", "collections", "json", "re", "subprocess", "sys", "typing"}


@dataclass
class Developer:
    """Someone who works in a fresh project, with its hooks, and pushes to a bare repository."""

    folder: Path

    def types(self, *command: str, code: int = 0) -> str:
        """Run a command that must end with exit status `code`; return all that it says."""
        binaries = str(Path(sys.executable).parent)
        env = {
            **{name: value for name, value in ENVIRONMENT.items() if name != "CI"},
            "PATH": f"{binaries}:{ENVIRONMENT['PATH']}",
            "PREK_HOME": str(self.folder.parent / "prek"),
            "SKIP": "style,lint",  # tests/test_hooks.py runs one, tests/test_sessions.py the other
        }
        done = run(command, cwd=self.folder, env=env, code=code)
        return done.stdout + done.stderr

    def writes(self, file: str) -> None:
        """Write a file, and stage it."""
        (self.folder / file).write_text("More.\n")
        self.types("git", "add", "--all")


@pytest.fixture(scope="module")
def developer(bake: Bake) -> Developer:
    folder = bake(python_version=offered_here())
    server = folder.parent / "server.git"
    run(["git", "init", "--quiet", "--bare", server], cwd=folder)
    shutil.copy(folder / "ops/branches/pre-receive", server / "hooks/pre-receive")
    made = Developer(folder)
    said = made.types("invoke", "branch.init")
    assert "the repository, the first commit of main, the branch develop" in said
    made.types("git", "remote", "add", "origin", str(server))
    made.types("git", "push", "--quiet", "origin", "main", "develop")
    return made


def test_a_fresh_project_becomes_a_repository_once(developer: Developer) -> None:
    before = developer.types("git", "for-each-ref")
    assert "nothing: all was there" in developer.types("invoke", "branch.init")
    assert developer.types("git", "for-each-ref") == before
    assert developer.types("git", "status", "--porcelain") == ""
    assert developer.types("git", "branch", "--show-current") == "develop\n"
    (developer.folder / "build").mkdir(exist_ok=True)
    developer.types("invoke", "clean")  # the hooks must outlive it: the next test has them run


def test_a_day_s_work(developer: Developer) -> None:
    """Work as a developer does who forgets each convention once."""
    commit = ["git", "commit", "--quiet", "--message"]
    developer.writes("more.txt")
    said = developer.types(*commit, "feat: more", code=1)
    assert "develop takes requests only: `invoke branch.start dependency NAME` or" in said
    developer.types("invoke", "branch.start", "feature", "more")
    said = developer.types(*commit, "More", code=1)
    assert "'More': The commit message should follow Conventional Commits" in said
    developer.types(*commit, "feat: more")
    developer.types("invoke", "branch.check")
    assert "feature/more is ready for develop" in developer.types("invoke", "branch.finish")
    developer.types("git", "switch", "--quiet", "main")
    refusal = "feature/more may not merge into main: it merges into develop"
    merge = ["git", "merge", "--quiet", "feature/more"]
    assert refusal in developer.types(*merge, code=1)
    developer.types("git", "merge", "--abort")
    developer.types(*merge, "--no-verify")
    push = ["git", "push", "--quiet"]
    assert refusal in developer.types(*push, "origin", "main", code=1)
    both = ["origin", "feature/more", "main"]
    assert f"refused: {refusal}" in developer.types(*push, "--no-verify", *both, code=1)
    developer.types("git", "reset", "--quiet", "--hard", "origin/main")
    developer.types("git", "switch", "--quiet", "develop")
    developer.types(*merge)
    developer.types(*push, "origin", "feature/more", "develop")
    listed = developer.types("invoke", "branch.list")
    assert re.search(r"^\* develop +develop; 2 ahead of main, 0 behind$", listed, re.MULTILINE)


def test_messages_are_checked_past_the_hooks(developer: Developer) -> None:
    """A pipeline sees what was committed with --no-verify."""
    developer.types("invoke", "branch.start", "feature", "hasty")
    developer.writes("hasty.txt")
    developer.types("git", "commit", "--quiet", "--no-verify", "--message=Hasty")
    asked = ["invoke", "branch.check", "--source", "feature/hasty", "--target", "develop"]
    assert developer.types(*asked, code=1).startswith("error: 'Hasty': The commit message should")
    developer.types("git", "commit", "--quiet", "--amend", "--message=feat: be quick")
    developer.types(*asked)


def test_a_project_within_a_repository_is_refused(bake: Bake, tmp_path: Path) -> None:
    folder = bake(python_version=offered_here())
    run(["git", "init", "--quiet"], cwd=folder.parent)
    said = Developer(folder).types("invoke", "branch.init", code=1)
    assert said == (
        f"error: {folder} lies in the repository {folder.parent}: move it out of there first\n"
    )
    shutil.rmtree(folder.parent / ".git")
    asked = {**ENVIRONMENT, "GIT_AUTHOR_NAME": "", "GIT_AUTHOR_EMAIL": ""}
    done = run([sys.executable, "-m", "invoke", "branch.init"], cwd=folder, env=asked, code=1)
    assert done.stderr.startswith("error: Git does not know who you are: set user.name and user.em")
    assert not (folder / ".git").exists()
