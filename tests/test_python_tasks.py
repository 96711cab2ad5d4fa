"""invoke python.status and python.set: the Python of a project, wherever it is named."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from tasks.dependencies import python_places
from tasks.lib import end_of_life, interpreter, project
from tasks.lib.pythons import require_usable

from tests.conftest import Bake
from tests.support import KINDS, PROJECT, PYTHONS, commit, contents, missing, offered_here, run

NOX = """\
import nox


@nox.session(venv_backend="none")
def lint(session):
    assert open(".python-version").read() != open("Pipfile").read()
"""


def invoke(folder: Path, *words: str, code: int = 0) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = run([sys.executable, "-m", "invoke", *words], cwd=folder, env=env, code=code)
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("old", "new"), [(PYTHONS[0], PYTHONS[-1]), (PYTHONS[-1], PYTHONS[1])])
def test_no_place_is_forgotten(bake: Bake, kind: str, old: str, new: str) -> None:
    """A project that changes its Python is, byte for byte, one that was baked with the other."""
    made, wanted = bake(kind=kind, python_version=old), bake(kind=kind, python_version=new)
    before = contents(made)
    files = python_places.write(project.load(made), new)
    after = contents(made)
    assert after == contents(wanted)
    assert set(files) == {name for name in after if after[name] != before[name]}
    require_usable(project.load(made))


@pytest.mark.parametrize("page", ["SECURITY.md", "kinds/cli/SECURITY.md"])
def test_the_support_ends_with_the_python(page: str) -> None:
    text = (PROJECT / page).read_text("utf-8")
    [days] = re.findall(r"until {{ ({.*?})\[cookiecutter.python_version\] }}, when Python ", text)
    wanted = {version: end_of_life.LAST_DAYS[version].isoformat() for version in PYTHONS}
    assert ast.literal_eval(days) == wanted


def test_a_bundles_own_python_follows(bake: Bake) -> None:
    folder = bake(python_version="3.13")
    settings = folder / "invoke.yaml"
    before = settings.read_text("utf-8")
    for given in ('"3.13.5"', "3.13.5"):
        chosen = before.replace('standalone_version: ""', f"standalone_version: {given}")
        assert chosen != before
        settings.write_text(chosen, "utf-8")
        assert "invoke.yaml" in python_places.write(project.load(folder), "3.12")
        assert settings.read_text("utf-8") == before


def test_it_is_changed_in_one_commit(bake: Bake) -> None:
    old = offered_here()
    others = [version for version in PYTHONS if interpreter.present(version) and version != old]
    if not others:
        missing(f"a Python besides {old}")
    folder = bake(python_version=old)
    (folder / "noxfile.py").write_text(NOX)
    (folder / "deploy/inventory/more.yml").write_text(f"deploy_python: /usr/bin/python{old}\n")
    commit(folder)
    run(["git", "switch", "--quiet", "--create", "develop"], cwd=folder)
    kept = contents(folder)
    wrong, known = invoke(folder, "python.set", "3.9", code=1), ", ".join(PYTHONS)
    assert wrong == f"error: the version is '3.9': expected one of {known} (pyproject.toml)\n"
    same = invoke(folder, "python.set", old, code=1)
    assert same == f"error: the project ships with Python {old} already\n"
    assert "Session lint failed" not in invoke(folder, "python.set", others[0], "--checks", "lint")
    assert run(["git", "log", "--format=%s", "develop.."], cwd=folder).stdout == (
        f"build(python): ship with Python {others[0]}\n"
    )
    names = run(["git", "diff", "--name-only", "develop"], cwd=folder).stdout.split()
    assert names == [".python-version", "Pipfile", "Pipfile.lock", "README.md", "SECURITY.md"]
    assert python_places.still_named(folder, old) == ["deploy/inventory/more.yml"]
    run(["git", "switch", "--quiet", "develop"], cwd=folder)
    (folder / "noxfile.py").write_text(NOX.replace("!=", "=="))
    run(["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qam", "x"],
        cwd=folder)  # fmt: skip
    kept = {name: data for name, data in contents(folder).items() if not name.startswith("build/")}
    assert "Session lint failed" in invoke(folder, "python.set", others[0], "--checks=lint", code=1)
    left = {name: data for name, data in contents(folder).items() if not name.startswith("build/")}
    assert left == kept


def test_one_that_is_not_here_is_refused_before_anything(
    bake: Bake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(version: str) -> interpreter.Interpreter:
        raise interpreter.InterpreterError(f"Python {version} is not here: get it")

    monkeypatch.setattr(python_places, "find", absent)
    with pytest.raises(Exception, match=r"^the checks need it: Python 3.14 is not here: get it$"):
        python_places.change(project.load(bake(python_version="3.13")), "3.14")


def test_the_status(baked: Path) -> None:
    said = invoke(baked, "python.status")
    assert re.search(r"^the project ships with Python 3.13: \w+ .*2029-10-31$", said, re.MULTILINE)
    for version in PYTHONS:
        assert re.search(rf"^  {version} .*; is (not )?here$", said, re.MULTILINE)
    here = ", ".join(interpreter.installed()) or "none"
    assert f"  pyenv has  {here}\n" in said
