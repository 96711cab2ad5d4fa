"""tasks.deploy.build.release_tree: a release as hosts keep it."""

import ast
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tasks.deploy.build import command_help, publish, release_tree
from tasks.deploy.build.plan import Plan
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.support import PROJECT
from tests.support import tree as names
from tests.tasks.conftest import Processes


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a release tree that has its program alone."""
    made = tmp_path / "tree"
    (made / "bin").mkdir(parents=True)
    (made / "bin/my-service").write_text("#!/bin/sh\n")
    (made / "bin/my-service").chmod(0o700)
    return made


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    publish.write_manifest(folder, {"name": "x"})
    (folder / publish.SBOM).write_text("{}")
    return folder


def test_a_release_for_hosts(
    tree: Path, plan: Plan, environment: Environment, published: Path, processes: Processes
) -> None:
    processes.answer("release_rank.py", "a1.z\n")
    release_tree.lay_out(tree, plan, environment, "2.31", published)
    facts = json.loads((tree / "host/release.json").read_text())
    assert facts == {
        "name": "my-service",
        "version": "1.0rc1",
        "release": "1.0rc1+0123456789ab",
        "rank": "a1.z",
        "user": "my-service",
        "size_kb": facts["size_kb"],
        "keep_releases": 3,
        "health_seconds": 30,
        "trial_seconds": 60,
        "overlap": True,
        "answers_callers": True,
        "before_switch_seconds": 0,
        "kind": "service",
        "machine": plan.machine,
        "glibc": "2.31",
    }
    assert facts["size_kb"] > 0
    units = {"my-service.service", "my-service.socket", "my-service.user.service", "my-service.env"}
    assert {f"host/{unit}" for unit in units} <= names(tree)
    assert {publish.CHECKSUMS, publish.MANIFEST, publish.SBOM} <= names(tree)
    assert processes.ran("release_rank.py")[-2:] == ["1.0rc1", "1700000000"]


def test_a_hook_has_the_seconds_that_the_settings_allow(
    tree: Path, plan: Plan, environment: Environment, processes: Processes
) -> None:
    processes.answer("release_rank.py", "a1.z\n")
    serves = {**plan.project.serves, "before_switch": "my_service.data:migrate"}
    project = replace(plan.project, serves=serves)
    settings = replace(plan.settings, before_switch_seconds=7)
    given = replace(plan, project=project, settings=settings)
    release_tree.add_host(tree, given, environment, {})
    assert json.loads((tree / "host/release.json").read_text())["before_switch_seconds"] == 7


def give_units(root: Path, units: Path) -> None:
    """Give the project in `root`, whose deploy/ is the template's, the unit files in `units`."""
    (root / "deploy").unlink()
    shutil.copytree(PROJECT / "deploy", root / "deploy", ignore=shutil.ignore_patterns("units"))
    shutil.copytree(units, root / "deploy/units")


def test_a_worker_has_units_of_its_own_and_no_socket(
    tree: Path, plan: Plan, environment: Environment, published: Path, processes: Processes
) -> None:
    processes.answer("release_rank.py", "a1.z\n")
    give_units(plan.project.root, PROJECT / "kinds/worker/deploy/units")
    project = replace(plan.project, serves={"kind": "worker", "run": "my_service.work:run"})
    release_tree.lay_out(tree, replace(plan, project=project), environment, "2.31", published)
    facts = json.loads((tree / "host/release.json").read_text())
    assert (facts["kind"], facts["answers_callers"]) == ("worker", False)
    units = {"host/my-service.service", "host/my-service.user.service", "host/my-service.env"}
    assert units <= names(tree)
    assert "host/my-service.socket" not in names(tree)
    for unit in units:
        assert "socket" not in (tree / unit).read_text().replace("health.sock", "").lower()


@pytest.mark.parametrize("kind", ["service", "worker"])
def test_a_project_without_units_is_refused(
    tree: Path, plan: Plan, environment: Environment, published: Path, kind: str
) -> None:
    give_units(plan.project.root, PROJECT / "tests/tasks")  # it has none
    project = replace(plan.project, serves={"kind": kind})
    with pytest.raises(TaskError, match=rf"^a {kind} needs deploy/units/service\.in$"):
        release_tree.lay_out(tree, replace(plan, project=project), environment, "2.31", published)


def test_a_command_has_its_help_beside_it(
    tree: Path,
    plan: Plan,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    processes: Processes,
) -> None:
    monkeypatch.setattr(command_help, "ensure", lambda *_, **__: environment)
    release_tree.add_host(tree, plan, environment, {})
    assert not [call for call in processes.calls if "command_help.py" in " ".join(call)]
    project = replace(plan.project, serves={"kind": "cli"})
    release_tree.add_host(tree, replace(plan, project=project), environment, {})
    asked = processes.ran("command_help.py")
    assert asked[0] == str(environment.python)
    source, *named, folder = asked[-6:]
    assert (source, folder) == (str(plan.project.source.parent), str(tree / "share"))
    assert named == ["my_service.runtime.cli:main", "my-service", "1.0rc1", "2023-11-14"]
    assert json.loads((tree / "host/release.json").read_text())["kind"] == "cli"


def test_elsewhere_than_on_linux_there_is_nothing_for_hosts(
    tree: Path, plan: Plan, environment: Environment, published: Path
) -> None:
    elsewhere = replace(plan, system="darwin-arm64")
    release_tree.lay_out(tree, elsewhere, environment, "2.31", published)
    added = {publish.MANIFEST, publish.SBOM, publish.CHECKSUMS}
    assert names(tree) == {"bin", "bin/my-service"} | added


def described(plan: Plan, tree: Path, environment: Environment, text: str) -> str:
    changed = replace(plan, project=replace(plan.project, description=text))
    release_tree.add_host(tree, changed, environment, {})
    unit = (tree / "host/my-service.service").read_text()
    return next(line for line in unit.splitlines() if line.startswith("Description="))


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("100 % of it", "Description=100 %% of it"),
        ("ends with \\", "Description=ends with \\ "),
        ("", "Description=my-service"),
    ],
)
def test_a_description_means_nothing_to_systemd(
    plan: Plan, tree: Path, environment: Environment, text: str, line: str
) -> None:
    assert described(plan, tree, environment, text) == line


def test_the_engine_lies_beside_the_program(tree: Path, plan: Plan) -> None:
    release_tree.add_engine(tree, plan.project, "$tree/python/bin/python3")
    launcher = tree / "bin/my-service-admin"
    assert launcher.stat().st_mode & 0o111
    assert '"$tree/python/bin/python3"' in launcher.read_text()
    ast.parse((tree / "host/cli.py").read_text())
    assert not list((tree / "host").glob("*.sh"))


def test_an_engine_that_does_not_run_is_refused(tree: Path, plan: Plan) -> None:
    engine = tree / "bin/my-service-admin"
    engine.write_text('#!/bin/sh\necho "got $*"; exit 3\n')
    engine.chmod(0o755)
    with pytest.raises(TaskError, match=r"my-service-admin failed with exit code 3:\n +got --help"):
        release_tree.try_engine(tree, plan.project)


def test_modes_and_dates_are_the_same_anywhere(tree: Path) -> None:
    (tree / "data").write_text("data")
    (tree / "data").chmod(0o600)
    (tree / "link").symlink_to("data")
    release_tree.normalise(tree, 1_000)
    modes = {name: (tree / name).stat().st_mode & 0o777 for name in ("bin", "data")}
    assert modes == {"bin": 0o755, "data": 0o444}
    assert (tree / "bin/my-service").stat().st_mode & 0o777 == 0o555
    assert {path.stat().st_mtime for path in [tree, *tree.rglob("*")]} == {1_000}
