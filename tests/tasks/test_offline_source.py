"""tasks.deploy.offline_source: the task, its plan, the base and the order of a build."""

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.deploy import offline_source as task_module
from tasks.deploy.build import archive, glibc, loading, publish, release_tree, sbom, signing, smoke
from tasks.deploy.build.plan import Plan
from tasks.deploy.offline_source import (
    additions,
    build,
    bundle_base,
    fill_base,
    relocate,
    wheels,
)
from tasks.deploy.offline_source.artefacts import Artefacts
from tasks.deploy.offline_source.bundle_base import BundleBase
from tasks.deploy.offline_source.carried_python import CarriedPython
from tasks.deploy.offline_source.interpreter_source import InterpreterSource
from tasks.deploy.offline_source.launcher import Launcher
from tasks.deploy.settings import Settings
from tasks.lib import project
from tasks.lib.environment import Environment

from tests.support import tree as names
from tests.tasks.conftest import Processes


@pytest.fixture
def plan(plan: Plan) -> Plan:
    """Return a plan that carries the interpreter of this machine."""
    return replace(plan, settings=Settings(interpreter="local"))


@pytest.fixture
def task(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that runs the task without building, and returns what it would do."""
    steps: list[str] = []

    def decide(*_: object, system: str, **__: object) -> Plan:
        steps.append(system)
        return plan

    def build_it(decided: Plan) -> Artefacts:
        steps.append("build")
        return Artefacts(decided, decided.dist)

    def deliver(_plan: Plan, artefact: Path, installer: list[str], _destination: object) -> None:
        steps.append(f"{artefact.name}: {' '.join(installer)}")

    monkeypatch.setattr(project, "load", lambda: plan.project)
    monkeypatch.setattr(task_module, "decide", decide)
    monkeypatch.setattr(task_module, "deliver", deliver)
    monkeypatch.setattr(task_module, "here", lambda: "linux-x86_64")
    monkeypatch.setattr(build, "build", build_it)
    monkeypatch.setattr(build, "describe", lambda _: steps.append("describe"))

    def run(**options: Any) -> list[str]:
        task_module.offline_source(MockContext(), **options)
        return steps

    return run


def test_what_is_built_is_delivered(task: Callable[..., list[str]], plan: Plan) -> None:
    single = f"{plan.stem}.run"
    assert task() == ["linux-x86_64", "build", f"{single}: sh FOLDER/{single}"]


def test_a_dry_run_only_describes(task: Callable[..., list[str]]) -> None:
    assert task(dry_run=True, platform="linux-aarch64") == ["linux-aarch64", "describe"]


def test_a_platform_without_bundles_is_refused(
    task: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exit, match=r"^error: --platform is 'win32': bundles are for linux-x86_64"):
        task(platform="win32")
    monkeypatch.setattr(task_module, "here", lambda: "darwin-arm64")
    with pytest.raises(Exit, match=r"^error: this machine is darwin-arm64: bundles are for"):
        task()


def test_a_plan_is_described(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "require_tools", lambda: None)
    build.describe(plan)
    said = capsys.readouterr().out
    assert "  python    3.13.5 (local)\n" in said
    assert f"  makes     {plan.stem}.run, {plan.stem}.tar.gz\n" in said
    assert "  state     to be built\n" in said
    assert not plan.project.build.exists()


@pytest.fixture
def home(tmp_path: Path) -> CarriedPython:
    made = CarriedPython(tmp_path / "Python3.13", "3.13")
    (made.folder / "bin").mkdir(parents=True)
    made.glibc.mkdir(parents=True)
    return made


def test_launchers_know_their_interpreter(plan: Plan, home: CarriedPython) -> None:
    (home.glibc / "ld-linux-x86-64.so.2").touch()
    launcher = Launcher("@program@ @home@ @python@ @loader@ @glibc@ @arguments@", home, "2.35")
    launcher.write_python()
    assert home.python.read_text() == "python3 .. python3.13 ld-linux-x86-64.so.2 35 "
    [entry] = plan.project.entry_points
    launcher.write_program(home.folder / "bin", entry)
    made = home.folder / "bin/my-service"
    assert made.stat().st_mode & 0o111
    assert "../python python3.13" in made.read_text()
    assert "-I -B -c 'import sys; " in made.read_text()


def test_every_launcher_of_a_project_has_its_values(plan: Plan, home: CarriedPython) -> None:
    Launcher(bundle_base.template(plan), home, "2.0").write_python()
    done = subprocess.run(["sh", "-n", home.python], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Tools:
    """Stand-ins for the steps of filling a base; each leaves what the step would."""

    def __init__(self, tmp_path: Path, processes: Processes) -> None:
        self.library = tmp_path / "libssl.so.3"
        self.library.touch()
        self.steps: list[str] = []
        installer = tmp_path / "site/installer"
        installer.mkdir(parents=True)
        (installer / "__init__.py").touch()
        processes.answer("print(installer.__file__)", f"{installer}/__init__.py\n")
        processes.answer("--only wheels", does=lambda argv: self.install(Path(argv[-1])))
        processes.answer("--archive", does=self.compile)

    def native(self, _tools: Environment, _pinned: str, folder: Path, _system: str) -> None:
        self.steps.append("native")
        folder.mkdir(parents=True)
        (folder / "click-8.1-py3-none-any.whl").write_bytes(b"wheel")

    def foreign(self, *given: Any, version: str) -> None:
        self.native(*given)
        self.steps[-1] = f"foreign {version}"

    def interpreter(self, home: CarriedPython) -> None:
        (home.folder / "bin").mkdir(parents=True)
        home.site.mkdir(parents=True)

    def from_installed(self, _path: Path, home: CarriedPython, _tools: object) -> list[Path]:
        self.interpreter(home)
        return [self.library]

    def from_standalone(self, _folder: Path, home: CarriedPython) -> None:
        self.steps.append("standalone")
        self.interpreter(home)

    def install(self, tree: Path) -> None:
        site = tree / "python/lib/python3.13/site-packages"
        (site / "click.py").write_text("")
        (site / "click.pyc").write_text("")

    def compile(self, argv: list[str]) -> None:
        Path(argv[argv.index("--archive") + 1]).write_bytes(b"bytecode")


@pytest.fixture
def tools(tmp_path: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch) -> Tools:
    made = Tools(tmp_path, processes)
    monkeypatch.setattr(wheels, "native", made.native)
    monkeypatch.setattr(wheels, "foreign", made.foreign)
    monkeypatch.setattr(relocate, "from_installed", made.from_installed)
    monkeypatch.setattr(relocate, "from_standalone", made.from_standalone)
    monkeypatch.setattr(relocate, "add_libraries", lambda *_, **__: [])
    monkeypatch.setattr(additions, "add_data", lambda *_: None)
    monkeypatch.setattr(additions, "add_glibc", lambda *_: [])
    monkeypatch.setattr(glibc, "floor", lambda _: "2.31")
    monkeypatch.setattr(loading, "modules", lambda *_: ["click"])
    monkeypatch.setattr(loading, "check", lambda *_: made.steps.append("imported"))
    monkeypatch.setattr(sbom, "collect", lambda *given: {"python": str(given[2])})
    return made


LOCAL = InterpreterSource(None, "3.13.5", "build")


def test_a_base_is_filled_for_this_machine(
    plan: Plan, environment: Environment, tools: Tools
) -> None:
    base = fill_base.obtain(plan, LOCAL, environment)
    assert tools.steps == ["native", "imported"]
    assert base.facts() == {
        "python": "3.13.5",
        "interpreter": "local",
        "glibc_floor": "2.31",
        "glibc_carried": False,
        "built_from_source": base.facts()["built_from_source"],
    }
    assert list(base.facts()["built_from_source"]) == ["click-8.1-py3-none-any.whl"]
    assert base.sbom()["python"].endswith("tree/python/bin/python3")
    seen = json.loads((base.folder / "libraries-seen.json").read_text())
    assert list(seen) == [str(tools.library)]
    site = base.python / "lib/python3.13/site-packages"
    assert names(site) == {"click.py"}, "bytecode travels in its archive"
    assert base.installer.is_file()
    assert base.home.version == "3.13"
    (base.folder / "a.tar.gz").write_bytes(base.part() + archive.end())
    with tarfile.open(base.folder / "a.tar.gz") as tar:
        assert "my-service/PyPI/bytecode.zip.xz" in tar.getnames()
    assert fill_base.obtain(plan, LOCAL, environment) == base
    assert len(tools.steps) == 2, "it is kept"


def test_a_base_for_another_machine_is_not_tried(
    plan: Plan,
    environment: Environment,
    tools: Tools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fill_base, "ensure", lambda *_: environment)
    source = InterpreterSource(tmp_path, "3.13.9", "cpython-3.13.9")
    base = fill_base.obtain(replace(plan, system="linux-other"), source, environment)
    assert tools.steps == ["foreign 3.13.9", "standalone"]
    assert base.sbom()["python"] == str(environment.python)


@pytest.fixture
def base(plan: Plan, environment: Environment, tools: Tools) -> BundleBase:
    return fill_base.obtain(plan, LOCAL, environment)


@pytest.fixture
def tried(
    plan: Plan,
    base: BundleBase,
    environment: Environment,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Let a build find its base; return a list that gets what it tries."""
    steps: list[str] = []
    monkeypatch.setattr(build, "require_tools", lambda: None)
    monkeypatch.setattr(build, "ensure", lambda *_: environment)
    monkeypatch.setattr(sbom, "write", lambda path, *_: path.write_text("{}"))
    monkeypatch.setattr(smoke, "check", lambda path, *_: steps.append(path.name))
    monkeypatch.setattr(release_tree, "try_engine", lambda *_: steps.append("engine"))
    processes.answer("release_rank.py", "a1\n")
    return steps


def test_a_build_tries_what_it_publishes(
    plan: Plan, tried: list[str], processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    (plan.project.source / ".env").write_text("mine alone")
    made = build.build(plan)
    assert tried == ["my-service", "engine"]
    assert publish.verify(plan.dist) == []
    with tarfile.open(made.archive) as tar:
        held = set(tar.getnames())
    top = "my-service"
    assert {f"{top}/Script/install.sh", f"{top}/Script/SHA256SUMS"} <= held
    assert {f"{top}/ProjectSrc/src/my_service/cli.py", f"{top}/ProjectSrc/Pipfile.lock"} <= held
    assert f"{top}/Script/release/host/release.json" in held
    assert not any(name.endswith(".env") and "ProjectSrc" in name for name in held)
    assert os.access(made.single, os.X_OK)
    assert publish.read_manifest(plan.dist)["interpreter"] == "local"
    said = capsys.readouterr().out
    assert "deploy.offline-source: built\n" in said
    build.build(plan)
    assert "unchanged, nothing to do" in capsys.readouterr().out
    assert len(tried) == 2


def test_what_a_target_installs_is_signed_before_it_is_packed(
    plan: Plan, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign(folder: Path, _settings: Settings) -> None:
        assert (folder / publish.CHECKSUMS).is_file()
        (folder / publish.SIGNATURE).write_text("signature")

    monkeypatch.setattr(signing, "sign", sign)
    with tarfile.open(build.build(plan).archive) as tar:
        held = set(tar.getnames())
    top = "my-service/Script"
    assert {f"{top}/{publish.SIGNATURE}", f"{top}/release/{publish.SIGNATURE}"} <= held
    assert (plan.dist / publish.SIGNATURE).is_file()


def test_a_bundle_for_another_machine_is_not_tried(
    plan: Plan, tried: list[str], base: BundleBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "choose", lambda *_, **__: LOCAL)
    monkeypatch.setattr(fill_base, "obtain", lambda *_: base)
    build.build(replace(plan, system="linux-other"))
    assert tried == []
