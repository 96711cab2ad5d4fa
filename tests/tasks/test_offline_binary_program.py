"""tasks.deploy.offline_binary.program and .program_base: own code on a collected base."""

import json
import platform
from pathlib import Path

import pytest
from tasks.deploy.build import loading, sbom
from tasks.deploy.build.plan import Plan
from tasks.deploy.offline_binary import program, program_base
from tasks.deploy.offline_binary.program_base import ProgramBase
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment

from tests.support import tree as names
from tests.tasks.conftest import Processes


@pytest.fixture
def base(tmp_path: Path) -> ProgramBase:
    made = ProgramBase(tmp_path / "base-1")
    (made.tree / "_internal").mkdir(parents=True)
    for name in ("my-service", "my-service-admin"):
        (made.tree / name).touch()
    return made


def test_own_code_is_compiled_onto_the_base(
    plan: Plan, base: ProgramBase, environment: Environment, tmp_path: Path, processes: Processes
) -> None:
    (plan.project.source / "data.txt").write_text("x")
    (plan.project.source / ".env").write_text("mine alone")
    program.assemble(plan.project, environment, base, plan.revision, tmp_path / "made")
    package = tmp_path / "made/_internal/my_service"
    assert names(package) == {"data.txt", "release.json"}, "the sources are gone"
    stamp = json.loads((package / "release.json").read_text())
    assert stamp["release"] == plan.revision.release
    assert stamp["program"] == {"kind": "service", "app": "my_service.app:app"}
    assert "unchecked-hash" in processes.ran("compileall")
    assert processes.environs[0]["PYTHONHASHSEED"] == "1"
    assert names(base.tree) == {"_internal", "my-service", "my-service-admin"}


def test_the_engine_comes_and_goes(
    plan: Plan, base: ProgramBase, environment: Environment, processes: Processes
) -> None:
    program.add_engine(plan.project, environment, base.tree)
    host = base.tree / "_internal/host"
    assert str(host) in processes.ran("compileall")
    assert not list(host.glob("*.sh"))
    program.remove_engine(plan.project, base.tree)
    assert (base.tree / "my-service").exists()
    assert not (base.tree / "my-service-admin").exists()


def test_tools_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        TaskError, match=r"^PyInstaller needs objcopy, objdump, ldd, strip: install"
    ):
        program_base.require_tools()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    program_base.require_tools()


class Collected:
    """What PyInstaller and the scripts would have done."""

    def __init__(self, processes: Processes, environment: Environment, tmp_path: Path) -> None:
        self.library = tmp_path / "libssl.so.3"
        self.library.write_bytes(b"library")
        self.environment = environment
        self.imports = {"modules": ["json"], "foreign": ["pip"]}
        processes.answer("imports.py", json.dumps(self.imports))
        processes.answer("modules.py", '[["click"]]')
        processes.answer("named.py", '["click.core"]')
        processes.answer("pyinstaller", does=self.collect)

    def collect(self, argv: list[str]) -> None:
        work = Path(argv[argv.index("--distpath") + 1])
        (work / "tree/_internal").mkdir(parents=True)
        (work / "work/program").mkdir(parents=True)
        (work / "work/program/probe").touch()
        pairs = [["libssl.so.3", str(self.library)], ["x.so", f"{self.environment.folder}/x.so"]]
        (work / "sources.json").write_text(json.dumps(pairs))


@pytest.fixture
def collected(
    processes: Processes,
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Collected:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(sbom, "collect", lambda *_: {"components": []})
    return Collected(processes, environment, tmp_path)


def test_a_base_is_collected_stripped_and_tried(
    plan: Plan,
    environment: Environment,
    collected: Collected,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[tuple[str, ...]] = []

    def check(
        command: list[str], modules: list[str], tree: Path, python: Path, *, settings: str
    ) -> None:
        assert python == environment.python
        tried.append((str(Path(command[0]).relative_to(tree)), *modules, settings))

    monkeypatch.setattr(loading, "check", check)
    made = program_base.obtain(plan, environment)
    assert tried == [("probe", "click", "deploy.offline_binary")]
    assert list(made.libraries()) == ["libssl.so.3"], "what came from wheels is not the machine's"
    [stripped] = [call for call in processes.calls if call[0] == "strip"]
    assert [Path(path).name for path in stripped[1:]] == ["libssl.so.3"]
    assert made.sbom() == {"components": []}
    wanted = json.loads((made.folder / "plan.json").read_text())
    assert wanted["named"] == ["click.core"]
    assert wanted["foreign"] == ["pip"]
    assert {"program.spec", "entry.py", "admin.py", "probe.py"} <= names(made.folder)
    assert not (made.tree / "probe").exists()
    assert not (made.folder / "work").exists()


def test_a_base_is_kept_until_other_modules_are_imported(
    plan: Plan,
    environment: Environment,
    collected: Collected,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "check", lambda *_, **__: None)
    first = program_base.obtain(plan, environment)
    assert program_base.obtain(plan, environment) == first
    processes.answer("imports.py", json.dumps({**collected.imports, "modules": ["ssl"]}))
    assert program_base.obtain(plan, environment) != first


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("PythonLibraryNotFound", r"^Python 3\.13\.5 .* has no shared library"),
        ("no such hook", r"^pyinstaller failed with exit code 1:\n +no such hook"),
    ],
)
def test_why_it_cannot_be_collected(
    plan: Plan,
    collected: Collected,
    processes: Processes,
    said: str,
    expected: str,
) -> None:
    processes.answer("pyinstaller", err=said, code=1)
    with pytest.raises(TaskError, match=expected):
        program_base.obtain(plan, collected.environment)
    assert not list(plan.build.glob("base-*"))
