"""tasks.deploy.build.plan: what decides a build, and what it refuses before it begins."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.deploy.build import plan as planning
from tasks.deploy.build.plan import Plan
from tasks.deploy.settings import Settings
from tasks.lib.console import TaskError
from tasks.lib.interpreter import Interpreter
from tasks.lib.project import Project

from tests.tasks.conftest import Processes


def test_where_things_go(plan: Plan) -> None:
    elsewhere = replace(plan, system="linux-aarch64")
    assert elsewhere.machine == "aarch64"
    assert elsewhere.stem == "my-service-1.0rc1-linux-aarch64"
    assert elsewhere.where == "dist/offline-test/"
    assert elsewhere.dist == plan.project.root / "dist/offline-test"
    assert elsewhere.build == plan.project.root / "build/offline-test"


def test_what_runs_here_and_what_can_be_a_service(plan: Plan) -> None:
    assert plan.native
    assert not replace(plan, system="darwin-arm64").native
    assert replace(plan, system="linux-riscv64").for_hosts
    assert not replace(plan, system="darwin-arm64").for_hosts


def test_what_every_manifest_says(plan: Plan) -> None:
    facts = plan.facts()
    assert facts["release"] == "1.0rc1+0123456789ab"
    assert facts["source_date"] == "2023-11-14T22:13:20+00:00"
    assert facts["commit"] == "0123456789abcdef"
    assert len(facts["lock_sha256"]) == 64


@pytest.fixture
def found(python: Interpreter, monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    """Return the project's Python, which the plan then finds."""
    monkeypatch.setattr(planning, "interpreter", lambda *_: python)
    return python


def test_the_project_as_it_is_decides(
    small: Project, found: Interpreter, processes: Processes
) -> None:
    decided = planning.decide("offline-binary", small, Settings())
    assert decided.interpreter == found
    assert decided.system == planning.here()
    assert decided.revision.release.startswith("1.0rc1+src."), "there is no Git"
    assert planning.decide("x", small, Settings(), system="linux-s390x").system == "linux-s390x"


def test_a_lock_that_does_not_fit_is_refused(small: Project, found: Interpreter) -> None:
    (small.root / "Pipfile").write_text('[packages]\nflask = "*"\n')
    with pytest.raises(TaskError, match="does not fit its Pipfile"):
        planning.decide("offline-binary", small, Settings())


def test_a_key_that_is_not_there_is_refused(small: Project, found: Interpreter) -> None:
    with pytest.raises(TaskError, match=r"^deploy.signing_key is '/nowhere': there is no such"):
        planning.decide("offline-binary", small, Settings(signing_key="/nowhere"))


class Later(dt.date):
    """A calendar that is far ahead."""

    @classmethod
    def today(cls) -> "Later":
        return cls(2050, 1, 1)


def test_a_python_past_its_end_is_refused_or_warned_of(
    small: Project,
    found: Interpreter,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dt, "date", Later)
    with pytest.raises(TaskError, match=r"Python 3.13 reached its end of life"):
        planning.decide("offline-binary", small, Settings(end_of_life="refuse"))
    planning.decide("offline-binary", small, Settings())
    assert capsys.readouterr().err.startswith("warning: Python 3.13 reached its end of life")


def test_here_is_spelled_as_uname_does() -> None:
    system, _, machine = planning.here().partition("-")
    assert system == Path("/proc/sys/kernel/ostype").read_text().strip().lower()
    assert machine
