"""tasks.develop: run from the source, clean up."""

import subprocess

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import develop
from tasks.lib import project
from tasks.lib.environment import Environment
from tasks.lib.project import Project

from tests.tasks.conftest import Processes


@pytest.fixture(autouse=True)
def _project(
    small: Project, environment: Environment, monkeypatch: pytest.MonkeyPatch, processes: Processes
) -> None:
    monkeypatch.setattr(project, "load", lambda: small)
    monkeypatch.setattr(develop, "interpreter", lambda _: environment.interpreter)
    monkeypatch.setattr(develop, "ensure", lambda *_: environment)


@pytest.mark.parametrize(("port", "options"), [("", []), ("81", ["--port", "81"])])
def test_the_program_runs_from_its_source(
    small: Project, environment: Environment, processes: Processes, port: str, options: list[str]
) -> None:
    processes.answer("serve", code=3)
    with pytest.raises(SystemExit) as ended:
        develop.serve(MockContext(), port=port)
    assert ended.value.code == 3
    module = ["-m", "my_service.runtime"]
    assert processes.calls == [[str(environment.python), *module, "serve", *options]]
    assert processes.environs[0]["PYTHONPATH"] == str(small.root / "src")


def test_ctrl_c_ends_it_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    develop.serve(MockContext())


def test_a_lock_that_does_not_fit_is_refused(small: Project, processes: Processes) -> None:
    small.lock.unlink()
    with pytest.raises(Exit, match=r"there is no Pipfile\.lock"):
        develop.serve(MockContext())
    assert processes.calls == []


def test_what_is_published_survives_cleaning(small: Project) -> None:
    for name in ("build/x", ".nox", "dist/offline-binary"):
        (small.root / name).mkdir(parents=True)
    develop.clean(MockContext())
    left = {path.name for path in small.root.iterdir()}
    assert "dist" in left
    assert not {"build", ".nox"} & left
