"""Plans: what a build will write where, shown before anything is built."""

import shutil
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from tasks.deploy import QUADRANTS
from tasks.deploy.build.plan import Plan, here
from tasks.deploy.settings import Settings
from tasks.lib import project
from tasks.lib.interpreter import Interpreter
from tasks.lib.revision import Revision

HERE = [f"tasks.deploy.{name}" for name in QUADRANTS if find_spec(f"tasks.deploy.{name}")]
"""The quadrants that this project has; it may have deleted others."""
BUILDS = [name for name in HERE if find_spec(f"{name}.build")]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return the plan of a project that lies in an empty folder."""
    this = replace(project.load(), root=tmp_path, name="Some.Service", version="1.2.3")
    revision = Revision("1.2.3", "0123456789abcdef", dirty=False, epoch=0, inputs="")
    python = Interpreter(tmp_path / "python", "3.13.5", "3.13.5 (main)")
    return Plan("offline-some", this, revision, python, Settings(interpreter="local"), here())


def test_a_plan_names_its_files(plan: Plan) -> None:
    assert plan.stem == f"some-service-1.2.3-{here()}"
    assert plan.where == "dist/offline-some/"
    assert plan.revision.release == "1.2.3+0123456789ab"


@pytest.mark.parametrize("name", BUILDS)
def test_a_dry_run_says_what_it_would_make_and_makes_nothing(
    plan: Plan,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/bin/{tool}")
    import_module(f"{name}.build").describe(plan)
    said = capsys.readouterr().out
    quadrant = name.rpartition(".")[2].replace("_", "-")
    assert said.startswith(f"\nplan of deploy.{quadrant}\n")
    assert "1.2.3+0123456789ab" in said
    assert "dist/offline-some/" in said
    assert "to be built" in said
    assert list(plan.project.root.iterdir()) == []
