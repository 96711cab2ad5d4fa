"""Dependencies of a baked project: a real update from an index on loopback, and its audit."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from host import advisories
from tasks.lib import lock

from tests import services
from tests.conftest import Bake
from tests.support import commit, contents, offered_here, run

LEAF = "demo-leaf"
WEAK = services.advisory("GHSA-aaaa-bbbb-cccc", LEAF, "1.1", "1.0")
SLOW = "import time; print('checking', flush=True); time.sleep(60)"
NOX = """\
import os
import nox


@nox.session(venv_backend="none")
def lint(session):
    text = open("Pipfile.lock").read()
    assert '"==1.0"' not in text.partition("demo-leaf")[2][:300], "the old one is still there"
    session.run("python", "-c", os.environ.get("TEST_CHECK", "pass"), external=True)


@nox.session(venv_backend="none")
def test(session):
    pass


@nox.session(venv_backend="none")
def security(session):
    pass
"""


class Bench:
    """A project on its branch `develop` that has one package of an index on loopback."""

    def __init__(self, folder: Path, index: str, service: services.Advisories) -> None:
        self.folder = folder
        self.advisories = service
        self.env = {
            **{key: value for key, value in os.environ.items() if key != "CI"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "UV_INDEX": index,
            "PIP_EXTRA_INDEX_URL": index,
            "OSV_URL": service.url,
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def invoke(self, *words: str, code: int = 0, **env: str) -> CompletedProcess[str]:
        command = [sys.executable, "-m", "invoke", *words]
        return run(command, cwd=self.folder, env={**self.env, **env}, code=code)

    def git(self, *words: str) -> str:
        return run(["git", *words], cwd=self.folder, env=self.env).stdout.strip()

    def locked(self) -> str:
        return str(lock.packages(self.folder / "Pipfile.lock", "packages")[LEAF]["version"])


def prepare(folder: Path, index: str, wheel: Path) -> None:
    """Give a project one package, which the index has, and checks that take no time."""
    pipfile = folder / "Pipfile"
    source = f'[[source]]\nname = "test"\nurl = "{index}"\nverify_ssl = false\n\n'
    text = pipfile.read_text("utf-8")
    packages = re.compile(r"(?ms)^\[packages\]\n.*?^(?=\[)")
    pipfile.write_text(source + packages.sub(f'[packages]\n{LEAF} = "*"\n\n', text), "utf-8")
    content = lock.read(folder / "Pipfile.lock")
    entry = {"version": "==1.0", "hashes": [f"sha256:{services.sha256(wheel)}"]}
    content["default"] = {LEAF: entry}
    asked = lock.read_pipfile(pipfile)
    content["_meta"]["hash"] = {"sha256": lock.fingerprint(asked, asked["source"])}
    (folder / "Pipfile.lock").write_text(json.dumps(content, indent=4), "utf-8")
    (folder / "noxfile.py").write_text(NOX)


@pytest.fixture(scope="module")
def bench(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = bake(python_version=offered_here())
    wheels = tmp_path_factory.mktemp("wheels")
    old = services.wheel(wheels, LEAF, "1.0")
    services.wheel(wheels, LEAF, "1.1", licence="Apache-2.0")
    with services.index(wheels) as index, services.advisories(WEAK) as service:
        prepare(folder, index, old)
        commit(folder)
        made = Bench(folder, index, service)
        made.git("switch", "--quiet", "--create", "develop")
        yield made


@pytest.fixture
def fresh(bench: Bench) -> Iterator[Bench]:
    """Return the bench with nothing updated; undo afterwards what a test does."""
    start = bench.git("rev-parse", "main")
    yield bench
    bench.advisories.broken = False
    bench.git("switch", "--quiet", "--force-create", "develop", start)
    made = bench.git("branch", "--list", "dependency/*", "--format=%(refname:short)").split()
    if made:
        bench.git("branch", "--quiet", "--delete", "--force", *made)


def state(bench: Bench) -> tuple[str, str, dict[str, bytes]]:
    """Return what a failure must leave as it was: branches, status and files."""
    kept = contents(bench.folder)
    files = {name: data for name, data in kept.items() if not name.startswith("build/")}
    branches = bench.git("for-each-ref", "--format=%(refname) %(objectname)")
    return branches, bench.git("status", "--porcelain", "--branch"), files


def test_an_update_fixes_what_is_vulnerable(fresh: Bench) -> None:
    assert fresh.locked() == "==1.0"
    said = fresh.invoke("deps.audit", code=1)
    assert f"{LEAF} 1.0: CVE-aaaa-bbbb-cccc (GHSA-aaaa-bbbb-cccc); fixed in 1.1" in said.stdout
    said = fresh.invoke("deps.update", "--only", LEAF)
    shown = dict(re.findall(r"^  ([a-z ]+?) {2,}(.*)$", said.stdout, re.MULTILINE))
    assert shown["changed"] == f"{LEAF} 1.0 -> 1.1"
    assert shown["fixed"] == f"CVE-aaaa-bbbb-cccc of {LEAF} 1.0"
    assert shown["new"] == shown["still there"] == "none"
    assert shown["licences"] == f"{LEAF} MIT -> Apache-2.0"
    assert shown["checks"] == "lint, test, security passed"
    assert shown["next"] == f"git push --set-upstream origin dependency/{LEAF}"
    assert fresh.locked() == "==1.1"
    assert fresh.git("branch", "--show-current") == f"dependency/{LEAF}"
    assert fresh.git("status", "--porcelain") == ""
    assert fresh.git("diff", "--name-only", "develop") == "Pipfile.lock"
    message = fresh.git("log", "-1", "--format=%an%n%B").splitlines()
    assert message[:4] == ["Your Name", f"fix(deps): update {LEAF}", "", f"- {LEAF} 1.0 -> 1.1"]
    assert len(fresh.git("worktree", "list").splitlines()) == 1
    assert "0 known vulnerabilities" in fresh.invoke("deps.audit").stdout
    again = fresh.invoke("deps.update", "--only", LEAF).stdout
    assert "deps.update: everything is as new as the Pipfile allows" in again


def test_killed_or_failing_checks_leave_all_as_it_was(fresh: Bench) -> None:
    before = state(fresh)
    killed = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deps.update", "--only", LEAF],
        cwd=fresh.folder, env={**fresh.env, "TEST_CHECK": SLOW}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    log = fresh.folder / "build/update.log"
    end = time.monotonic() + 120
    while not (log.exists() and "checking" in log.read_text()) and time.monotonic() < end:
        time.sleep(0.1)
    os.killpg(killed.pid, signal.SIGKILL)
    said_killed = killed.communicate()[0]
    assert "checking" in log.read_text(), said_killed
    assert state(fresh) == before
    said = fresh.invoke("deps.update", "--only", LEAF, code=1, TEST_CHECK="raise SystemExit(3)")
    assert said.stderr.startswith("error: the checks fail, nothing was changed (all of it: build/")
    assert "Session lint failed" in said.stderr
    assert state(fresh) == before


def test_a_silent_service_is_told_and_refused_in_ci(fresh: Bench) -> None:
    fresh.advisories.broken = True
    before = state(fresh)
    silent = f"{fresh.advisories.url} does not answer"
    assert fresh.invoke("deps.audit", code=1).stderr == f"error: {silent}\n"
    said = fresh.invoke("deps.update", "--only", LEAF, code=1, CI="true")
    assert said.stderr == f"error: {silent}\n"
    assert state(fresh) == before
    said = fresh.invoke("deps.update", "--only", LEAF, "--checks", "lint")
    assert f"not known   not audited: {silent}" in said.stdout
    assert fresh.git("log", "-1", "--format=%s") == f"build(deps): update {LEAF}"


def test_the_file_for_machines_and_pip_audit_agree(fresh: Bench, tmp_path: Path) -> None:
    file = tmp_path / "advisories.json"
    said = fresh.invoke("deps.advisories", "--output", str(file)).stdout
    assert "1 advisories about " in said
    content = json.loads(file.read_text("utf-8"))
    [record] = content["vulns"]
    assert record["id"] == WEAK["id"]
    assert "details" not in record
    assert content["asked"][LEAF] == ["1.0"]
    assert {"invoke", "mypy", "ansible-core"} <= content["asked"].keys(), "it asks about all tools"
    assert content["service"] == fresh.advisories.url
    known = advisories.read(file)
    for version, affected in (("1.0", True), ("1.1", False)):
        part = {"name": LEAF, "version": version, "purl": f"pkg:pypi/{LEAF}@{version}"}
        (tmp_path / "bill.json").write_text(json.dumps({"components": [part]}), "utf-8")
        verdict = known.judge(tmp_path / "bill.json")
        assert ([each.id for each in verdict.affected] == [WEAK["id"]]) is affected
