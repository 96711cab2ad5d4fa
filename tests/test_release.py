"""`invoke release.start` and `release.publish` in a scratch repository, killed and run again.

Git, commitizen, ssh-keygen and what is published are real; a small stand-in takes the place of the
builds, and of nox.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tasks.deploy.build import publish, signing
from tasks.deploy.settings import Settings

from tests.conftest import Bake
from tests.soak import some
from tests.support import contents, missing, offered_here, run

STAND_IN = """\
import os, signal, subprocess, sys
from dataclasses import replace
from pathlib import Path
from tasks.deploy.build import publish, signing
from tasks.deploy.offline_binary import build as binary
from tasks.deploy.offline_source import build as source
from tasks.lib import steps

def build(plan):
    with publish.staging(plan.dist) as output:
        (output / f"{plan.stem}.{plan.quadrant[8:]}").write_text(plan.revision.release)
        (output / publish.SBOM).write_text("{}")
        publish.write_manifest(output, plan.facts())
        publish.write_checksums(output)
        signing.sign(output, plan.settings)
binary.build = source.build = build
"""
KILLED = """
what, left = os.environ["KILL"].split()
left = int(left)
def count():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
def counted(function):
    def call(*arguments, **options):
        done = function(*arguments, **options)
        count()
        return done
    return call
if what == "program":
    subprocess.run = counted(subprocess.run)
elif what == "step":
    real = steps.carry_out
    steps.carry_out = lambda work: real([replace(step, do=counted(step.do)) for step in work])
"""
QUICK = """
from tasks.release import starting
SAID = "### Feat\\n\\n- serve more\\n"
starting.commitizen = lambda *_: subprocess.CompletedProcess([], 0, SAID, "")
"""
"""Commitizen takes a second."""
WHOLE = """
from invoke.main import program
program.run(["invoke", *sys.argv[1:]])
"""
STEPS = 8
"""Of a whole release, with those of its start."""
PROGRAMS = 60
"""More than half of the programs that a whole release runs."""


@pytest.fixture(scope="module")
def origin(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with main, develop, the tag v0.1.0, and work since then."""
    folder = bake(git=True, python_version=offered_here())
    git(folder, "tag", "v0.1.0")
    for subject in ("feat: serve more", "fix(api): mend it", "docs: say so", "unconventional"):
        git(folder, "commit", "--quiet", "--allow-empty", "--message", subject)
    git(folder, "branch", "develop")
    (folder / "build/environments").mkdir(parents=True)
    compiler = ["-m", "compileall", "-q", "--invalidation-mode=unchecked-hash", "tasks"]
    run([sys.executable, *compiler], cwd=folder)
    return folder


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a key for checksums and tags."""
    path = tmp_path_factory.mktemp("key") / "key"
    tool = shutil.which("ssh-keygen") or missing("ssh-keygen")
    run([tool, "-q", "-t", "ed25519", "-N", "", "-C", "key", "-f", path], cwd=path.parent)
    return path


New = Callable[[], Path]


@pytest.fixture
def new(origin: Path, tmp_path: Path) -> New:
    """Return a function that makes scratch repositories.

    They share the environment of tools, and the compiled tasks.
    """

    def make() -> Path:
        folder = tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}" / "my-service"
        folder.parent.mkdir()
        run(["git", "clone", "--quiet", "--branch=main", origin, folder], cwd=tmp_path)
        git(folder, "branch", "develop", "origin/develop")
        git(folder, "remote", "set-url", "origin", "https://user@git.example.com/my-service")
        for name in ("user.name=Test", "user.email=test@example.com"):
            git(folder, "config", *name.split("="))
        for compiled in origin.glob("tasks/**/__pycache__"):
            shutil.copytree(compiled, folder / compiled.relative_to(origin))
        (folder / "build").mkdir()
        (folder / "build/environments").symlink_to(origin / "build/environments")
        return folder

    return make


@pytest.fixture
def scratch(new: New) -> Path:
    return new()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    return run(["git", *who, *arguments], cwd=folder).stdout.strip()


def environ(key: Path | None = None, **more: str) -> dict[str, str]:
    signed = {"INVOKE_DEPLOY_SIGNING_KEY": str(key)} if key else {}
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **signed, **more}


def release(
    folder: Path,
    *arguments: str,
    code: int = 0,
    env: Mapping[str, str] | None = None,
    how: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a task of releases with the stand-in for builds; `how` is more code before it."""
    command = [sys.executable, "-c", f"{STAND_IN}{how}{WHOLE}", *arguments]
    return run(command, cwd=folder, env=env or environ(), code=code)


def refused(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run a task that must refuse; return the one line that it says."""
    done = release(folder, *arguments, code=1, env=env)
    assert done.stderr.startswith("error: "), done
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("error: ").rstrip("\n")


def test_a_release_from_the_commits_to_the_page(scratch: Path, key: Path) -> None:
    env = environ(key)
    assert (
        "1. the branch release/0.2.0 from main"
        in release(scratch, "release.start", "--dry-run", env=env).stdout
    )
    assert git(scratch, "branch", "--list", "release/*") == ""
    release(scratch, "release.start", env=env)
    assert git(scratch, "branch", "--show-current") == "release/0.2.0"
    assert git(scratch, "log", "-1", "--format=%s", "main..") == "chore(release): 0.2.0"
    changed = git(scratch, "show", "--name-only", "--format=")
    assert changed.split() == ["CHANGELOG.md", "pyproject.toml"]
    assert ", as before\n" in release(scratch, "release.start", env=env).stdout

    planned = release(scratch, "release.publish", "--no-checks", "--dry-run", env=env).stdout
    assert planned.count(" to do\n") == 6, "develop and main are behind, and nothing is built"
    assert not (scratch / "dist").exists()
    said = release(scratch, "release.publish", "--no-checks", env=env).stdout
    assert "git push origin main v0.2.0\n" in said
    assert "git merge" not in said
    folder = scratch / "dist/release/0.2.0"
    check_whole(scratch, key)
    verify = [sys.executable, "-m", "invoke", "deploy.verify", "dist/release/0.2.0"]
    assert "release    0.2.0+" in run(verify, cwd=scratch, env=env).stdout

    page = (folder / "notes.md").read_text()
    assert page.startswith(
        "### Added\n\n- serve more\n\n### Fixed\n\n- **api**: mend it\n\n## Files\n"
    )
    names = {"binary": "offline-binary", "source": "offline-source"}
    for suffix, quadrant in names.items():
        [made] = folder.glob(f"{quadrant}/*.{suffix}")
        digest = json.loads((folder / "provenance.intoto.json").read_text())["subject"]
        [subject] = [s for s in digest if s["name"] == f"{quadrant}/{made.name}"]
        assert f"| `{subject['name']}` | 18 bytes | `{subject['digest']['sha256']}` |" in page
    block = page.partition("```sh\n")[2].partition("```")[0]
    shutil.copy(f"{key}.pub", folder / "signing-key.pub")
    by_hand = run(["sh", "-euc", block], cwd=folder).stdout
    assert by_hand.startswith('Good "file" signature for my-service')
    assert by_hand.count(": OK\n") == len((folder / "SHA256SUMS").read_text().splitlines())


def test_the_provenance_says_from_what_and_by_whom(scratch: Path) -> None:
    release(scratch, "release.start")
    release(scratch, "release.publish", "--no-checks",
            env=environ(INVOKE_RELEASE_BUILDER="https://ci.example.com/runner"))  # fmt: skip
    folder = scratch / "dist/release/0.2.0"
    statement = json.loads((folder / "provenance.intoto.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    built = statement["predicate"]["buildDefinition"]
    assert built["externalParameters"]["tag"] == "v0.2.0"
    source, locked = built["resolvedDependencies"]
    assert source == {
        "name": "source",
        "digest": {"gitCommit": git(scratch, "rev-parse", "v0.2.0^{commit}")},
        "uri": "git+https://git.example.com/my-service",
    }
    assert locked["name"] == "Pipfile.lock"
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example.com/runner"
    named = {subject["name"] for subject in statement["subject"]}
    others = {"SHA256SUMS", "manifest.json", "notes.md", "provenance.intoto.json"}
    assert named == set(contents(folder)) - others
    once = (folder / "provenance.intoto.json").read_bytes()
    shutil.rmtree(folder)
    release(scratch, "release.publish", "--no-checks",
            env=environ(INVOKE_RELEASE_BUILDER="https://ci.example.com/runner"))  # fmt: skip
    assert (folder / "provenance.intoto.json").read_bytes() == once


def check_whole(scratch: Path, key: Path) -> None:
    """Check that the release 0.2.0 is complete: files, signatures, tag and branches."""
    folder = scratch / "dist/release/0.2.0"
    manifest = publish.read_manifest(folder)
    assert publish.verify(folder) == []
    assert signing.verify(folder, Settings(signing_key=str(key)), "my-service") == []
    tip = git(scratch, "rev-parse", "release/0.2.0")
    for ref in ("main", "develop", "v0.2.0^{commit}"):
        assert git(scratch, "rev-parse", ref) == tip == manifest["commit"]
    signers = scratch.parent / "signers"
    signers.write_text(f"my-service {Path(f'{key}.pub').read_text()}")
    git(scratch, "-c", f"gpg.ssh.allowedSignersFile={signers}", "verify-tag", "v0.2.0")
    assert git(scratch, "status", "--porcelain") == ""
    assert git(scratch, "show", "HEAD:CHANGELOG.md").count("## [0.2.0]") == 1


MOMENTS = [
    *(("step", number) for number in range(1, STEPS + 1)),
    *(("program", number) for number in some(range(1, PROGRAMS), 5, "programs of a release")),
]


@pytest.mark.parametrize(("what", "number"), MOMENTS)
def test_a_release_that_is_killed_is_completed_by_running_it_again(
    scratch: Path, key: Path, what: str, number: int
) -> None:
    env, main = environ(key, KILL=f"{what} {number}"), git(scratch, "rev-parse", "main")
    begun = ["release.start", "release.publish", "--no-checks"]
    killed = [sys.executable, "-c", f"{STAND_IN}{QUICK}{KILLED}{WHOLE}", *begun]
    done = subprocess.run(killed, cwd=scratch, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == -9, f"it was not killed at {what} {number}: {done}"

    folder = scratch / "dist/release/0.2.0"
    tagged = git(scratch, "tag", "--list", "v0.2.0")
    assert folder.exists() or not tagged
    assert git(scratch, "rev-parse", "main") == main or folder.exists()
    left = {path.name for path in (scratch / "dist/release").glob("*")}
    assert left <= {"0.2.0", ".0.2.0.new", ".0.2.0.old"}

    release(scratch, *(begun[1:] if tagged else begun), env=environ(key), how=QUICK)
    check_whole(scratch, key)
    assert {path.name for path in folder.parent.iterdir()} == {"0.2.0"}


def test_the_checks_run_once_for_each_content(scratch: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    nox = tools / "nox"
    nox.write_text(
        f"#!/bin/sh\necho run >>{tools}/ran\n[ ! -e {tools}/bad ] || {{ echo bad; exit 1; }}\n"
    )
    nox.chmod(0o755)
    env = environ(PATH=f"{tools}{os.pathsep}{os.environ['PATH']}")
    release(scratch, "release.start", how=QUICK)
    (tools / "bad").touch()
    done = release(scratch, "release.publish", env=env, code=1)
    assert done.stderr == "error: nox failed with exit code 1:\n    bad\n"
    assert not (scratch / "dist").exists()
    (tools / "bad").unlink()
    for _ in range(2):
        release(scratch, "release.publish", env=env)
    assert (tools / "ran").read_text() == "run\nrun\n"
    only_git = tmp_path / "git"
    only_git.mkdir()
    (only_git / "git").symlink_to(shutil.which("git") or "")
    shutil.rmtree(scratch / "build/release")
    said = refused(scratch, "release.publish", env=environ(PATH=str(only_git)))
    assert said.startswith("nox is not here: install it")


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("1.0", "--version is '1.0': expected a version such as 1.2.0 or 1.2.0rc1"),
        ("0.1.0", "--version is '0.1.0': v0.1.0 is released already"),
        ("0.0.9", "--version is '0.0.9': expected a version after 0.1.0"),
    ],
)
def test_a_version_that_cannot_be_next(scratch: Path, version: str, why: str) -> None:
    assert refused(scratch, "release.start", "--version", version) == why
    assert git(scratch, "branch", "--list", "release/*") == ""


def test_a_start_that_is_refused(scratch: Path) -> None:
    (scratch / "README.md").write_text("changed")
    assert refused(scratch, "release.start").startswith("README.md is changed and in no commit")
    git(scratch, "checkout", "--quiet", ".")
    git(scratch, "switch", "--quiet", "--create", "feature/x")
    git(scratch, "commit", "--quiet", "--allow-empty", "--message=feat: x")
    said = refused(scratch, "release.start")
    assert said == "you are on feature/x: releases begin from main (git switch main)"
    git(scratch, "switch", "--quiet", "main")
    git(scratch, "reset", "--quiet", "--hard", "v0.1.0")
    said = refused(scratch, "release.start")
    assert said.startswith(
        "no commit since v0.1.0 asks for a new version (feat, fix or perf): merge"
    )
    git(scratch, "switch", "--quiet", "--detach")
    git(scratch, "branch", "--quiet", "--delete", "--force", "main")
    assert refused(scratch, "release.start").startswith("there is no branch main")
    shutil.rmtree(scratch / ".git")
    assert (
        refused(scratch, "release.start")
        == "my-service has no commit: a release is one of Git's commits"
    )


def test_a_branch_that_was_made_before(scratch: Path) -> None:
    git(scratch, "switch", "--quiet", "--create", "release/0.2.0")
    release(scratch, "release.start", how=QUICK)
    assert git(scratch, "branch", "--show-current") == "release/0.2.0"
    assert git(scratch, "status", "--porcelain") == ""
    assert 'version = "0.2.0"' in (scratch / "pyproject.toml").read_text()


def test_a_release_candidate_and_what_follows_it(scratch: Path) -> None:
    release(scratch, "release.start", "--version", "1.0.0rc1", how=QUICK)
    release(scratch, "release.publish", "--no-checks")
    git(scratch, "switch", "--quiet", "main")
    git(scratch, "commit", "--quiet", "--allow-empty", "--message=fix: mend more")
    release(scratch, "release.start")
    assert git(scratch, "branch", "--show-current") == "release/1.0.0"
    assert "- mend more" in (scratch / "CHANGELOG.md").read_text()


def test_a_publication_that_is_refused(scratch: Path) -> None:
    finish = ("release.publish", "--no-checks")
    assert refused(scratch, *finish).startswith("v0.1.0 is another commit, ")
    release(scratch, "release.start", how=QUICK)
    (scratch / "new").touch()
    assert refused(scratch, *finish).startswith("new is changed and in no commit")
    (scratch / "new").unlink()
    git(scratch, "switch", "--quiet", "--create", "feature/x")
    assert refused(scratch, *finish) == (
        "you are on feature/x: releases are made on release/0.2.0 or main"
    )
    git(scratch, "switch", "--quiet", "main")
    git(scratch, "commit", "--quiet", "--allow-empty", "--message=fix: at once")
    git(scratch, "switch", "--quiet", "release/0.2.0")
    assert refused(scratch, *finish).startswith(
        "main has commits that release/0.2.0 has not: merge"
    )
    git(scratch, "merge", "--quiet", "main")
    said = release(scratch, *finish).stdout
    assert "v0.2.0" in said
    assert not (scratch / "dist/release/0.2.0/SHA256SUMS.sig").exists()
    git(scratch, "switch", "--quiet", "--detach", "v0.1.0")
    text = (
        (scratch / "pyproject.toml").read_text().replace('version = "0.1.0"', 'version = "0.3.0"')
    )
    (scratch / "pyproject.toml").write_text(text)
    git(scratch, "commit", "--quiet", "--all", "--message=by hand")
    assert refused(scratch, *finish).startswith("CHANGELOG.md has no section 0.3.0: `invoke")


def test_a_release_that_was_merged_by_others_is_published_from_main(scratch: Path) -> None:
    """As where main is protected: the request was merged on the server, and develop went on."""
    git(scratch, "switch", "--quiet", "develop")
    git(scratch, "commit", "--quiet", "--allow-empty", "--message=feat: later")
    git(scratch, "switch", "--quiet", "main")
    release(scratch, "release.start", how=QUICK)
    git(scratch, "switch", "--quiet", "main")
    git(scratch, "merge", "--quiet", "--no-ff", "--message=merge: the release", "release/0.2.0")
    said = release(scratch, "release.publish", "--no-checks").stdout
    assert git(scratch, "rev-parse", "v0.2.0^{commit}") == git(scratch, "rev-parse", "main")
    assert "merge" in said
    assert "git switch develop && git merge v0.2.0\n" in said
    git(scratch, "switch", "--quiet", "--detach", "v0.2.0")
    git(scratch, "branch", "--quiet", "--delete", "--force", "main", "develop", "release/0.2.0")
    before = contents(scratch / "dist")
    shutil.rmtree(scratch / "dist")
    release(scratch, "release.publish", "--no-checks")  # as a pipeline does that has only the tag
    assert contents(scratch / "dist") == before


def test_a_tag_by_somebody_else_is_not_taken(scratch: Path, key: Path) -> None:
    release(scratch, "release.start", how=QUICK)
    git(scratch, "tag", "--annotate", "--message=mine", "v0.2.0")
    said = refused(scratch, "release.publish", "--no-checks", env=environ(key))
    assert said.startswith(f"the tag v0.2.0 does not pass with {key}.pub: ")
    assert said.endswith("(if nobody has it yet: git tag --delete v0.2.0)")
    git(scratch, "tag", "--delete", "v0.2.0")
    release(scratch, "release.publish", "--no-checks", env=environ(key))
    check_whole(scratch, key)
