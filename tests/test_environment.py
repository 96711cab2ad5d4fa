"""tasks.lib.environment: an environment holds exactly the lock, made with uv or without."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.lib import environment, lock, project
from tasks.lib.console import TaskError

from tests.conftest import Bake
from tests.support import offered_here, run

LIST = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"


@pytest.fixture(scope="module")
def this(bake: Bake) -> project.Project:
    return project.load(bake(python_version=offered_here()))


def installed(made: environment.Environment) -> set[str]:
    names = run([made.python, "-c", LIST], cwd=made.folder).stdout.split()
    return {project.normalised(name) for name in names}


def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [f for f in os.get_exec_path() if not (Path(f) / "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    assert not shutil.which("uv")


@pytest.mark.parametrize("uv", [True, False])
def test_it_holds_exactly_the_locked_packages(
    this: project.Project, uv: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not uv:
        without_uv(monkeypatch)
        shutil.rmtree(this.build)
    python = environment.interpreter(this)
    made = environment.ensure(this, python, "packages")
    locked = {project.normalised(name) for name in lock.packages(this.lock, "packages")}
    # colorama is click's on Windows alone, typing-extensions is for older Pythons.
    assert installed(made) <= locked
    assert {"click", "starlette", "uvicorn"} <= installed(made)
    stamp = made.folder / "complete"
    before = stamp.stat().st_mtime_ns
    assert environment.ensure(this, python, "packages") == made
    assert stamp.stat().st_mtime_ns == before
    # A checkout that does not last uses it too.
    checkout = replace(this, root=tmp_path)
    shutil.copy(this.lock, tmp_path)
    assert environment.ensure(checkout, python, "packages", keeper=this) == made
    assert not checkout.build.exists()
    # An environment that is not complete is made anew.
    stamp.unlink()
    (made.folder / "half").touch()
    environment.ensure(this, python, "packages")
    assert not (made.folder / "half").exists()


@pytest.mark.parametrize("uv", [True, False])
def test_a_lock_that_lacks_what_a_package_needs(
    bake: Bake, uv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not uv:
        without_uv(monkeypatch)
    this = project.load(bake(python_version=offered_here()))
    content = json.loads(this.lock.read_text())
    del content["default"]["h11"]
    this.lock.write_text(json.dumps(content))
    with pytest.raises(TaskError) as refused:
        environment.ensure(this, environment.interpreter(this), "packages")
    assert str(refused.value) == (
        "Pipfile.lock does not serve Python 3.11, 3.12, 3.13, 3.14: uvicorn needs h11 there: "
        "run `invoke deps.lock`"
    )
    assert not list((this.build / "environments").glob("*/complete"))


def test_a_wrong_hash_is_refused(bake: Bake) -> None:
    this = project.load(bake(python_version=offered_here()))
    locked = lock.packages(this.lock, "packages")["click"]["hashes"]
    text = this.lock.read_text()
    for value in locked:
        text = text.replace(value, f"sha256:{'0' * 64}")
    this.lock.write_text(text)
    with pytest.raises(TaskError, match=r"(?i)hash"):
        environment.ensure(this, environment.interpreter(this), "packages")
    made = list((this.build / "environments").glob("*/complete"))
    assert made == []
