"""tasks.deploy.offline_source.interpreter_source: which interpreter a bundle carries."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.deploy.build.plan import Plan
from tasks.deploy.offline_source.interpreter_source import choose, native_interpreter
from tasks.deploy.settings import Settings
from tasks.lib.console import TaskError

from tests.tasks.conftest import Processes

GET = "python install"


@pytest.fixture
def plan(plan: Plan) -> Plan:
    """Return a plan for this machine, as for a platform that has bundles."""
    machine = plan.machine
    return replace(plan, system=f"linux-{machine}")


@pytest.fixture(autouse=True)
def _uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)


def wanting(plan: Plan, kind: str, version: str = "", mirror: str = "") -> Plan:
    settings = Settings(interpreter=kind, standalone_version=version, standalone_mirror=mirror)
    return replace(plan, settings=settings)


def let_uv_get(processes: Processes, plan: Plan, *versions: str) -> None:
    def get(argv: list[str]) -> None:
        for version in versions:
            folder = Path(argv[argv.index("--install-dir") + 1])
            (folder / f"cpython-{version}-linux-{plan.machine}-gnu").mkdir(parents=True)

    processes.answer(GET, does=get)


def test_the_local_one_is_taken_where_that_is_asked_for(plan: Plan, processes: Processes) -> None:
    source = choose(wanting(plan, "local"), fetch=True)
    assert source.facts() == {"python": "3.13.5", "interpreter": "local"}
    assert native_interpreter(source, plan) == plan.interpreter
    assert processes.calls == []


def test_the_local_one_runs_on_no_other_machine(plan: Plan) -> None:
    with pytest.raises(TaskError, match="does not run on linux-other: expected auto or standalone"):
        choose(wanting(replace(plan, system="linux-other"), "local"), fetch=True)


def test_a_standalone_one_is_fetched_once_and_the_newest_is_taken(
    plan: Plan, processes: Processes
) -> None:
    let_uv_get(processes, plan, "3.13.9", "3.13.10", "3.130.1")
    source = choose(plan, fetch=True)
    assert source.facts() == {"python": "3.13.10", "interpreter": "python-build-standalone"}
    assert choose(plan, fetch=True) == source
    assert len(processes.calls) == 1
    assert processes.calls[0][-1] == f"cpython-3.13-linux-{plan.machine}-gnu"
    python = native_interpreter(source, plan)
    assert (python.path.name, python.version) == ("python3", "3.13.10")


def test_a_version_and_a_mirror_may_be_asked_for(plan: Plan, processes: Processes) -> None:
    let_uv_get(processes, plan, "3.13.2")
    mirror = "https://mirror.example.com"
    choose(wanting(plan, "standalone", "3.13.2", mirror), fetch=True)
    command = processes.ran(GET)
    assert command[command.index("--mirror") + 1] == mirror
    assert command[-1].startswith("cpython-3.13.2-")


def test_uv_has_names_of_its_own_for_machines(plan: Plan, processes: Processes) -> None:
    with pytest.raises(TaskError, match=r"^uv left no Python 3\.13 for linux-ppc64le$"):
        choose(replace(plan, system="linux-ppc64le"), fetch=True)
    assert processes.ran(GET)[-1] == "cpython-3.13-linux-powerpc64le-gnu"


def test_what_cannot_be_fetched_is_not_tried_again_today(
    plan: Plan, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    processes.answer(GET, err="error: no network\n", code=2)
    assert choose(plan, fetch=True).kind == "local"
    assert "no standalone Python can be had: taking " in capsys.readouterr().out
    assert choose(plan, fetch=True).kind == "local"
    assert len(processes.calls) == 1
    [stamp] = (plan.build / "standalone").iterdir()
    os.utime(stamp, (1, 1))
    choose(plan, fetch=True)
    assert len(processes.calls) == 2, "it is tried again tomorrow"


def test_who_insists_is_told_why_it_cannot_be_had(plan: Plan, processes: Processes) -> None:
    processes.answer(GET, err="error: cannot download\n  cause: no network\n", code=2)
    with pytest.raises(TaskError) as refused:
        choose(wanting(plan, "standalone"), fetch=True)
    assert str(refused.value) == (
        f"no standalone Python 3.13 for {plan.system} can be had: "
        "uv failed with exit code 2: cannot download: no network"
    )


def test_without_uv_and_without_leave_nothing_is_fetched(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(TaskError, match=r"can be had: UV_PYTHON_DOWNLOADS is 'never'$"):
        choose(wanting(plan, "standalone"), fetch=True)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TaskError, match=r"can be had: uv, which fetches it, is not installed$"):
        choose(wanting(plan, "standalone"), fetch=True)


def test_a_dry_run_keeps_nothing(plan: Plan, processes: Processes) -> None:
    assert choose(plan, fetch=False).kind == "local"
    assert processes.calls == []
    let_uv_get(processes, plan, "3.13.7")
    assert choose(wanting(plan, "standalone"), fetch=False).version == "3.13.7"
    assert not (plan.build / "standalone").exists()
    processes.answer(GET, err="no network", code=2)
    with pytest.raises(TaskError, match="can be had: uv failed"):
        choose(wanting(plan, "standalone"), fetch=False)
