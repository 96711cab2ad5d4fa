"""`deploy.online-source`: what the task refuses in one line, before it asks any host."""

import fcntl
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tasks.deploy.build.plan import decide
from tasks.deploy.online_source import commit
from tasks.deploy.online_source.kit import pack
from tasks.deploy.settings import Settings
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.lib.environment import ensure, interpreter

from tests.conftest import Bake
from tests.support import commit_change, run

DEPLOY = (sys.executable, "-m", "invoke", "deploy.online-source", "--to", "local")


@pytest.fixture(scope="module")
def cloned(bake: Bake) -> Path:
    """Return a project whose `origin` has its first commit."""
    folder = bake(git=True)
    bare = folder.parent / "origin.git"
    run(["git", "clone", "--quiet", "--bare", folder, bare], cwd=folder)
    run(["git", "remote", "add", "origin", bare], cwd=folder)
    settings = folder / "invoke.yaml"
    text = settings.read_text().replace("      repository: .\n", "      repository: origin\n")
    text = text.replace("end_of_life: warn", "end_of_life: refuse")
    settings.write_text(text)
    commit_change(folder)
    run(["git", "push", "--quiet", "origin", "HEAD"], cwd=folder)
    return folder


@pytest.fixture
def folder(cloned: Path) -> Path:
    """Return that project as it was pushed."""
    run(["git", "checkout", "--quiet", "--force", "main"], cwd=cloned)
    run(["git", "reset", "--quiet", "--hard", "origin/main"], cwd=cloned)
    return cloned


def refusal(folder: Path, *options: str) -> str:
    """Return the one line that a refused deployment prints."""
    done = run([*DEPLOY, *options], cwd=folder, code=1)
    (line,) = done.stderr.splitlines()
    assert "localhost" not in done.stdout, "a host was asked"
    return line


def test_the_plan_asks_no_host(folder: Path) -> None:
    said = run([*DEPLOY, "--dry-run"], cwd=folder).stdout
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout.strip()
    assert f"  ref      main, commit {commit}\n" in said
    assert "localhost" not in said


def test_changes_in_no_commit(folder: Path) -> None:
    (folder / "src/new.py").write_text("")
    try:
        assert refusal(folder) == (
            "error: there are uncommitted changes: commit and push them, or name a --ref"
        )
        run([*DEPLOY, "--dry-run", "--ref", "main"], cwd=folder)
    finally:
        (folder / "src/new.py").unlink()


def test_what_was_not_pushed(folder: Path) -> None:
    (folder / "README.md").write_text("Changed\n")
    commit_change(folder)
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout[:12]
    line = refusal(folder)
    assert line.startswith(f"error: main ({commit}) is not in ")
    assert line.endswith("origin.git: hosts could not get it, push it first")


@pytest.mark.parametrize("ref", ["v7", "--all", "a b"])
def test_a_ref_that_does_not_exist(folder: Path, ref: str) -> None:
    line = refusal(folder, f"--ref={ref}")
    assert line == f"error: --ref is '{ref}': expected a tag, branch or commit that is here"


def test_a_lock_that_does_not_fit_the_pipfile(folder: Path) -> None:
    pipfile = folder / "Pipfile"
    pipfile.write_text(pipfile.read_text().replace('click = "*"', 'click = "<9"'))
    commit_change(folder)
    run(["git", "push", "--quiet", "--force", "origin", "HEAD:refs/heads/other"], cwd=folder)
    line = refusal(folder)
    assert line == "error: main: Pipfile.lock does not fit its Pipfile: run `invoke deps.lock`"


def test_a_python_past_its_end_of_life(folder: Path) -> None:
    table = folder / "tasks/lib/end_of_life.py"
    table.write_text(table.read_text().replace("dt.date(2029", "dt.date(2019"))
    commit_change(folder)
    run(["git", "push", "--quiet", "--force", "origin", "HEAD:refs/heads/other"], cwd=folder)
    line = refusal(folder)
    assert line.startswith("error: Python 3.13 reached its end of life on 2019-10-31")


def test_a_repository_that_cannot_be_asked(folder: Path) -> None:
    address = "http://user:" + "hidden" + "@127.0.0.1:9/x.git"
    found = commit.find(project.load(folder), address, "")
    (folder.parent / "empty").mkdir()
    with pytest.raises(TaskError) as refused:
        found.check_out(folder.parent / "empty")
    assert str(refused.value).startswith("cannot fetch from http://127.0.0.1:9/x.git: ")
    assert "hidden" not in str(refused.value)


def test_a_remote_that_does_not_exist(folder: Path) -> None:
    with pytest.raises(TaskError, match=r"^there is no remote 'up' .*; there are: origin \("):
        commit.find(project.load(folder), "up", "")


def test_a_folder_outside_of_git(baked: Path) -> None:
    line = refusal(baked)
    assert line == f"error: {baked.name} has no commit: hosts get the source by Git"


def test_a_project_below_the_top_of_its_repository(folder: Path, tmp_path: Path) -> None:
    run(["git", "init", "--quiet"], cwd=tmp_path)
    run(["cp", "-R", folder, tmp_path / "inner"], cwd=tmp_path)
    run(["rm", "-rf", tmp_path / "inner/.git"], cwd=tmp_path)
    commit_change(tmp_path)
    found = commit.find(project.load(tmp_path / "inner"), ".", "")
    (tmp_path / "out").mkdir()
    assert found.check_out(tmp_path / "out") == tmp_path / "out" / "inner"
    assert found.folder == "inner/"
    assert found.repository == os.path.realpath(tmp_path)


# What a host does with the kit. A stand-in for the engine prints its arguments and puts the new
# release in place: the engine has its own tests.

TELLS = """\
import json, os, shutil, sys
from pathlib import Path

def main(tree, argv=None):
    arguments = sys.argv[1:] if argv is None else argv
    made = Path(arguments[1])
    name = json.loads((made / "host/release.json").read_text())["version"]
    base = made.parents[2]
    if not (base / "releases" / name).exists():
        (base / "releases").mkdir(exist_ok=True)
        made.rename(base / "releases" / name)
    print(json.dumps(arguments))
    return 7
"""


@dataclass(frozen=True)
class Host:
    """A folder in which the kit makes releases, as on a host."""

    kit: Path
    python: str
    prefix: Path

    @property
    def base(self) -> Path:
        return self.prefix / "opt/my-service"

    def install(self, *options: str, code: int = 7, **environ: str) -> str:
        """Run the kit's installer; return its output, with standard error last."""
        command: list[str | Path] = [self.python, "-I", "-B", self.kit / "install.py"]
        places = ("--python", self.python, "--prefix", self.prefix)
        done = run([*command, *places, *options], cwd=self.kit,
                   env={**os.environ, **environ}, code=code)  # fmt: skip
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def packed(cloned: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return an unpacked kit, and the Python that releases are to run on."""
    run(["git", "reset", "--quiet", "--hard", "origin/main"], cwd=cloned)
    work = tmp_path_factory.mktemp("kit")
    this = project.load(cloned)
    found = commit.find(this, "origin", "")
    tools = ensure(this, interpreter(this), "deploy")
    plan = decide("online-source", this, Settings())
    pack(found, plan, tools, work)
    return work / "my-service", str(plan.interpreter.path)


@pytest.fixture
def host(packed: tuple[Path, str], tmp_path: Path) -> Host:
    kit = shutil.copytree(packed[0], tmp_path / "kit")
    (kit / "release/host/cli.py").write_text(TELLS)
    return Host(kit, packed[1], tmp_path / "prefix")


def test_a_host_makes_the_release_and_takes_it_again(host: Host) -> None:
    said = host.install("--allow-downgrade")
    making = host.base / ".engine/making"
    asked = ["activate", str(making / "tree"), "--built-here", "--prefix", str(host.prefix)]
    assert json.loads(said.splitlines()[-1]) == [*asked, "--allow-downgrade"]
    assert "its origin was not checked, because no key is known here" in said
    assert not making.exists()
    (made,) = (host.base / "releases").iterdir()
    run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made)
    listed = (made / "SHA256SUMS").read_text().splitlines()
    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert {line[66:] for line in listed} == files - {"SHA256SUMS"}
    facts = json.loads((made / "host/release.json").read_text())
    assert (facts["machine"], facts["glibc"]) == (os.uname().machine, "none")
    assert run([made / "bin/my-service", "version"], cwd=made).stdout.startswith(
        "my-service 0.1.0+"
    )
    assert list((made / "host/__pycache__").glob("release.*.pyc"))
    # For a release that is there and whole, nothing is fetched or installed again.
    (host.kit / "source.json").write_text(
        (host.kit / "source.json").read_text().replace('"repository": "', '"repository": "/none')
    )
    assert "origin" not in host.install()
    changed = made / "packages/my_service/app.py"
    changed.write_text(changed.read_text() + "# changed\n")
    assert "error: could not get the source: " in host.install(code=1)
    assert not making.exists()


def test_one_run_at_a_time_and_what_a_killed_one_left_goes(host: Host) -> None:
    left = host.base / ".engine/making/packages"
    left.mkdir(parents=True)
    lock = host.base / ".engine/making.lock"
    with lock.open("w") as held:
        held.write("process 1 of somebody")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        said = host.install(code=1, DEPLOY_LOCK_SECONDS="0")
        assert said.startswith("error: another run is at work, process 1 of somebody: wait for it")
        assert left.exists()
    host.install()
    assert not left.exists()


def test_a_commit_that_is_not_signed_where_a_key_is_known(host: Host) -> None:
    keys = host.prefix / "etc/my-service/signing-key.pub"
    keys.parent.mkdir(parents=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host.kit / "key"], cwd=host.kit)
    shutil.copy(host.kit / "key.pub", keys)
    said = host.install(code=1)
    assert "is refused, nothing was changed: it is not signed by a key in" in said
    assert not (host.base / "releases").exists()


def test_an_interpreter_that_will_not_do(host: Host, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9.1 /usr\n")
    other.chmod(0o755)
    said = host.install("--python", str(other), code=1)
    assert said == f"error: {other} is Python 3.9.1: expected 3.13\n"
    said = host.install("--python", "/none", code=1)
    assert said == "error: /none does not run here: expected Python 3.13\n"
