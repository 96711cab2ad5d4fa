"""The Git hooks of the template and of what it makes: they are valid, and refuse bad files."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import Bake
from tests.support import PROJECT, ROOT, missing, offered_here, run

NAME = ".pre-commit-config.yaml"
BIN = str(Path(sys.executable).parent)
PATH = f"{BIN}:{os.environ['PATH']}"


@pytest.fixture
def prek() -> str:
    """Return the path of the program that runs hooks."""
    return shutil.which("prek", path=PATH) or missing("prek")


@pytest.mark.parametrize("folder", [ROOT, PROJECT])
def test_hooks_are_valid_and_fetch_nothing(prek: str, folder: Path) -> None:
    run([prek, "validate-config", folder / NAME], cwd=folder)
    given = yaml.safe_load((folder / NAME).read_text("utf-8"))
    assert [repo["repo"] for repo in given["repos"]] == ["local"]
    hooks = given["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["entry"].split()[0] for hook in hooks} <= {"nox", "invoke"}


def test_the_template_runs_its_own_hooks_only(prek: str) -> None:
    listed = run([prek, "list", "--hook-stage=pre-commit"], cwd=ROOT).stdout.split()
    assert listed == [".:style", ".:quadrants"]


def test_a_bad_file_is_not_committed(prek: str, bake: Bake) -> None:
    folder = bake(git=True, python_version=offered_here())
    environment = {
        **{key: value for key, value in os.environ.items() if key != "CI"},
        "PATH": PATH,
        "PREK_HOME": str(folder.parent / "prek"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    run([prek, "install", "--quiet"], cwd=folder, env=environment)
    run(["git", "switch", "--quiet", "--create", "feature/more"], cwd=folder)
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    commit = ["git", *who, "commit", "--message=feat: more"]
    file = folder / "src/my_service/more.py"
    file.write_text('"""More."""\n\nimport os\n')
    run(["git", "add", "--all"], cwd=folder, env=environment)
    said = run(commit, cwd=folder, env=environment, code=1)
    assert "F401" in said.stdout + said.stderr
    file.write_text('"""More."""\n')
    run(["git", "add", "--all"], cwd=folder, env=environment)
    run(commit, cwd=folder, env=environment)
