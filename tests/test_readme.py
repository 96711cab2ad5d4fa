"""The README's two commands: the first is run as it stands, the second is what CI runs."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT, run, tree

FIRST, SECOND = re.findall(r"```sh\n(.+)\n```", (ROOT / "README.md").read_text("utf-8"))


def test_ci_runs_the_second_command() -> None:
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == SECOND


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_pages_name_only_sessions_that_exist(page: str) -> None:
    named = set(re.findall(r"nox -s (\w+)", (ROOT / page).read_text("utf-8")))
    existing = re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8"))
    assert named
    assert named <= set(existing)


def test_the_first_command_makes_a_project_and_its_packages(
    template: Path, cookiecutter_config: Path, tmp_path: Path
) -> None:
    clone = shutil.copytree(template, tmp_path / "clone")
    environment = {**os.environ, "COOKIECUTTER_CONFIG": str(cookiecutter_config)}
    run(["bash", "-euc", FIRST], cwd=clone, env=environment)
    made = tree(tmp_path / "my-service" / "dist" / "offline-binary")
    assert {Path(name).suffix for name in made} >= {".deb", ".rpm", ".gz"}
