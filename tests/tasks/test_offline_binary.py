"""tasks.deploy.offline_binary: the task, its plan, the names and the order of a build."""

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.checks import served
from tasks.deploy import offline_binary as task_module
from tasks.deploy.build import glibc, publish, release_tree, sbom, smoke
from tasks.deploy.build.plan import Plan
from tasks.deploy.offline_binary import artefacts, build, package, program, program_base
from tasks.deploy.offline_binary.artefacts import Artefacts
from tasks.deploy.offline_binary.program_base import ProgramBase
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.support import KINDS


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.0", "1.0"), ("1.0rc1", "1.0~rc1"), ("1.0.dev3", "1.0~dev3"), ("1.0a2", "1.0~a2")],
)
def test_a_version_that_packages_sort_rightly(plan: Plan, version: str, expected: str) -> None:
    changed = replace(plan, project=replace(plan.project, version=version))
    assert artefacts.package_version(changed) == expected


def test_names_of_artefacts(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    made = Artefacts(replace(plan, system="linux-aarch64"), tmp_path)
    assert made.top == "my-service-1.0rc1-linux-aarch64"
    assert [path.name for path in (made.archive, made.deb, made.rpm, made.single)] == [
        "my-service-1.0rc1-linux-aarch64.tar.gz",
        "my-service_1.0~rc1_arm64.deb",
        "my-service-1.0~rc1-1.aarch64.rpm",
        "my-service-1.0rc1-linux-aarch64.run",
    ]
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert artefacts.architecture() == "riscv64"


@pytest.fixture
def task(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that runs the task without building, and returns what it would do."""
    steps: list[str] = []

    def build_it(decided: Plan) -> Artefacts:
        steps.append(f"build{' onefile' * decided.onefile}")
        return Artefacts(decided, decided.dist)

    def deliver(_plan: Plan, artefact: Path, installer: list[str], _destination: object) -> None:
        steps.append(f"{artefact.name}: {installer[0]}")

    monkeypatch.setattr(project, "load", lambda: plan.project)
    monkeypatch.setattr(task_module, "decide", lambda *_, **__: plan)
    monkeypatch.setattr(build, "build", build_it)
    monkeypatch.setattr(build, "describe", lambda _: steps.append("describe"))
    monkeypatch.setattr(task_module, "deliver", deliver)

    def run(**options: Any) -> list[str]:
        task_module.offline_binary(MockContext(), **options)
        return steps

    return run


def test_what_is_built_is_delivered(task: Callable[..., list[str]], plan: Plan) -> None:
    assert task() == ["build", f"{plan.stem}.tar.gz: FOLDER/{plan.stem}/install"]


def test_one_file_is_built(task: Callable[..., list[str]]) -> None:
    assert task(onefile=True)[0] == "build onefile"


def test_a_dry_run_only_describes(task: Callable[..., list[str]]) -> None:
    assert task(dry_run=True) == ["describe"]


def test_options_that_do_not_fit_are_refused(
    task: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exit, match="one to install: leave out --to"):
        task(onefile=True, to="local")
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(Exit, match="which Windows does not have: leave it out, the archive has"):
        task(onefile=True)
    for system in ("Windows", "Darwin"):
        monkeypatch.setattr(platform, "system", lambda system=system: system)
        said = f"^error: --to is 'local': hosts run Linux, .* on {system}$"
        with pytest.raises(Exit, match=said):
            task(to="local")
    assert task(onefile=True)[0] == "build onefile", "for macOS"


def test_a_plan_is_described(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program_base, "require_tools", lambda: None)
    build.describe(plan)
    said = capsys.readouterr().out
    assert f"  release   {plan.revision.release}\n" in said
    assert "  makes     program, archive, .deb, .rpm\n  where     dist/offline-test/\n" in said
    assert "  state     to be built\n" in said
    assert not plan.project.build.exists()
    build.describe(replace(plan, onefile=True))
    assert "  makes     one executable file\n" in capsys.readouterr().out
    build.describe(replace(plan, system="darwin-arm64"))
    assert "  makes     program, archive\n" in capsys.readouterr().out


class Steps(list[str]):
    """The names of the steps that a build takes, in place of the steps themselves."""

    def does(self, name: str, result: object = None) -> Callable[..., object]:
        """Return a function that only adds its name to the steps."""

        def do(*_: object, **__: object) -> object:
            self.append(name)
            return result

        return do


@pytest.fixture
def steps(
    plan: Plan, environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Steps:
    """Replace the steps of a build; each leaves no more than its artefact."""
    made = Steps()
    base = ProgramBase(tmp_path / "base-1")
    base.tree.mkdir(parents=True)
    (base.folder / "libraries.json").write_text('{"libc.so.6": "ab"}')
    (base.folder / "sbom.json").write_text("{}")

    def assemble(*given: Any) -> None:
        made.append("assemble")
        given[-1].mkdir(parents=True)

    def pack(kind: str) -> Callable[[package.Packing], None]:
        def write(packing: package.Packing) -> None:
            made.append(kind)
            path = getattr(packing.artefacts, "archive" if kind == "release" else "single")
            path.write_bytes(b"x")
            if kind == "release" and packing.plan.for_hosts:
                packing.artefacts.deb.write_bytes(b"deb")

        return write

    monkeypatch.setattr(program_base, "require_tools", made.does("tools"))
    monkeypatch.setattr(program_base, "obtain", made.does("base", base))
    monkeypatch.setattr(build, "ensure", made.does("environment", environment))
    monkeypatch.setattr(served, "require", made.does("served"))
    monkeypatch.setattr(program, "assemble", assemble)
    monkeypatch.setattr(program, "add_engine", made.does("add engine"))
    monkeypatch.setattr(program, "remove_engine", made.does("remove engine"))
    monkeypatch.setattr(glibc, "floor", made.does("floor", "2.31"))
    monkeypatch.setattr(sbom, "write", lambda path, *_: path.write_text("{}"))
    monkeypatch.setattr(package, "release", pack("release"))
    monkeypatch.setattr(package, "single", pack("single"))
    monkeypatch.setattr(smoke, "check", made.does("try"))
    monkeypatch.setattr(release_tree, "try_engine", made.does("try engine"))
    return made


def test_a_build_tries_what_it_publishes(
    plan: Plan, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    made = build.build(plan)
    assert {"release", "try", "add engine", "try engine"} <= set(steps)
    assert steps.index("served") < steps.index("base"), "PyInstaller runs first"
    assert "remove engine" not in steps
    assert publish.verify(plan.dist) == []
    manifest = publish.read_manifest(plan.dist)
    assert (manifest["glibc_floor"], manifest["libraries"]) == ("2.31", {"libc.so.6": "ab"})
    said = capsys.readouterr().out
    assert "deploy.offline-binary: built\n" in said
    assert f"sudo dpkg -i dist/offline-test/{made.deb.name}\n" in said
    assert "not here" not in said
    assert not (plan.build / "work").exists()


def test_one_file_has_no_engine(
    plan: Plan, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    made = build.build(replace(plan, onefile=True))
    assert {"single", "try", "remove engine"} <= set(steps)
    assert not {"release", "add engine", "try engine"} & set(steps)
    said = " ".join(capsys.readouterr().out.split())
    assert f" start dist/offline-test/{made.single.name} serve" in said


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_program_is_started_as_it_can_be(
    plan: Plan, steps: Steps, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    project = replace(plan.project, serves={**plan.project.serves, "kind": kind})
    made = build.build(replace(plan, project=project, onefile=True))
    assert "try" in steps
    said = " ".join(capsys.readouterr().out.split())
    words = "--help" if kind == "cli" else "serve"
    assert f" start dist/offline-test/{made.single.name} {words}" in said


def test_elsewhere_than_on_linux_there_are_no_packages(
    plan: Plan, steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    build.build(replace(plan, system="darwin-arm64"))
    assert "remove engine" in steps
    assert "the .deb and the .rpm are built on Linux" in capsys.readouterr().out
    assert publish.read_manifest(plan.dist)["glibc_floor"] is None


def test_what_windows_builds_is_tried_and_unpacked(
    plan: Plan,
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried: list[str] = []
    monkeypatch.setattr(smoke, "check", lambda built, *_: tried.append(built.name))
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    made = build.build(replace(plan, system="windows-amd64"))
    assert tried == ["my-service.exe"]
    assert made.archive.name == "my-service-1.0rc1-windows-amd64.tar.gz"
    said = " ".join(capsys.readouterr().out.split())
    assert f" unpack tar -xzf dist/offline-test/{made.archive.name} " in said
    assert "dpkg" not in said
    # What is there is replaced, though Windows removes no file that nobody may write to.
    build.build(replace(plan, system="windows-amd64", onefile=True))
    assert not made.archive.exists()


def test_a_program_that_does_not_work_is_not_published(
    plan: Plan, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build(plan)
    before = (plan.dist / publish.MANIFEST).read_bytes()

    def refuse(*_: object) -> None:
        raise TaskError("the built program does not work")

    monkeypatch.setattr(smoke, "check", refuse)
    with pytest.raises(TaskError, match="does not work"):
        build.build(replace(plan, onefile=True))
    assert (plan.dist / publish.MANIFEST).read_bytes() == before
    assert publish.verify(plan.dist) == []
