"""Makes the program: what PyInstaller collects once, and the project's own code on top.

PyInstaller takes half a minute, and what it collects (interpreter, dependencies, libraries) changes
with the lock, the interpreter and the set of imported modules, not with each line of the project's
own code. So it collects everything but the project's package into a *base* that is kept, and every
build, the first as the thousandth, puts the compiled package into a copy of that base.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import lock
from ...console import TaskError, step
from ...environment import Environment
from ...process import require, run
from ...project import Project
from ...revision import LEFTOVERS, Revision
from .. import artifact, loading, machine, sbom
from ..render import render
from ..settings import Settings

FOLDER = Path("deploy/offline-binary")
SPEC = "program.spec"
ENTRY = "entry.py.in"
NAMED = Path(__file__).with_name("named.py")
_KEPT_BASES = 3
_NO_LIBRARY = ("PythonLibraryNotFound", "Python was built without a shared library")
_TOOLS = {"Linux": ("objcopy", "objdump", "ldd", "strip")}


@dataclass(frozen=True)
class Base:
    """A program without the project's own code, as PyInstaller collected it."""

    folder: Path

    @property
    def tree(self) -> Path:
        """The folder with the executable and `_internal/`."""
        return self.folder / "tree"

    def libraries(self) -> dict[str, str]:
        """Give the SHA-256 of each library that the build machine contributed, by file name."""
        return dict(json.loads((self.folder / "libraries.json").read_text(encoding="utf-8")))

    def sbom(self) -> dict[str, Any]:
        """Give the bill of materials of what was collected (a CycloneDX document)."""
        return dict(json.loads((self.folder / "sbom.json").read_text(encoding="utf-8")))

    def is_current(self) -> bool:
        """Tell whether the machine's libraries are still those that were collected."""
        try:
            collected = json.loads((self.folder / "collected.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        return machine.unchanged(collected)


def require_tools() -> None:
    """Check that what a build needs of the machine is here; raises `TaskError` otherwise."""
    require(_TOOLS.get(platform.system(), ()), "PyInstaller")


def base(project: Project, environment: Environment, settings: Settings) -> Base:
    """Give the base for the project's imports, collected now or kept from before.

    Raises `TaskError` where PyInstaller or a tool that it needs fails.
    """
    script = Path(__file__).with_name("imports.py")
    runtime = lock.packages(project.lock, "packages")
    plan = {
        "name": project.program,
        "package": project.package,
        "environment": environment.folder.name,
        **json.loads(run([environment.python, "-P", script, project.source, *runtime])),
        "distributions": loading.modules(environment.python, *runtime),
        "hidden_imports": settings.hidden_imports,
        "collect_data": settings.collect_data,
    }
    makers = [project.root / FOLDER / SPEC, project.root / FOLDER / ENTRY, NAMED, loading.PROBE]
    inputs = [path.read_text(encoding="utf-8") for path in makers]
    key = hashlib.sha256(json.dumps([plan, inputs], sort_keys=True).encode()).hexdigest()[:12]
    rooms = project.build / "offline-binary"
    for left in rooms.glob("base-*.*"):  # by a build that was killed
        shutil.rmtree(left)
    kept = Base(rooms / f"base-{key}")
    if not kept.is_current():
        with step("PyInstaller collects the interpreter and the dependencies"):
            _collect(project, environment, plan, kept.folder)
    os.utime(kept.folder)
    for old in sorted(rooms.glob("base-*"), key=_age)[_KEPT_BASES:]:
        shutil.rmtree(old, ignore_errors=True)
    return kept


def assemble(
    project: Project, environment: Environment, kept: Base, revision: Revision, target: Path
) -> None:
    """Write the whole program to `target`: the base and the compiled package, with its release."""
    shutil.copytree(kept.tree, target)
    package = target / "_internal" / project.package
    shutil.copytree(project.source, package, ignore=shutil.ignore_patterns(*LEFTOVERS))
    (package / "release.json").write_text(revision.stamp(), encoding="utf-8")
    # No paths of the build machine in tracebacks, and no time stamps: the same bytes anywhere.
    compiling = ["-m", "compileall", "-q", "-f", "-b", "-o", "1", "--invalidation-mode"]
    run(
        [environment.python, *compiling, "unchecked-hash", "-s", package.parent, package],
        env={"PYTHONHASHSEED": "1"},
    )
    for source in package.rglob("*.py"):
        source.unlink()


def _collect(
    project: Project,
    environment: Environment,
    plan: Mapping[str, Any],
    folder: Path,
) -> None:
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    work.mkdir(parents=True)
    runtime = lock.packages(project.lock, "packages")
    named = json.loads(run([environment.python, "-I", "-B", NAMED, *runtime]))
    (work / "plan.json").write_text(json.dumps({**plan, "named": named}), encoding="utf-8")
    shutil.copyfile(project.root / FOLDER / SPEC, work / SPEC)
    shutil.copyfile(loading.PROBE, work / "probe.py")
    entry = (project.root / FOLDER / ENTRY).read_text(encoding="utf-8")
    (work / "entry.py").write_text(render(entry, {"package": plan["package"]}), encoding="utf-8")
    _pyinstaller(environment, work)
    _describe(work, environment)
    _import_all(work, plan["distributions"])
    version = environment.interpreter.version
    document = sbom.collect(project, environment, environment.python, version)
    (work / "sbom.json").write_text(json.dumps(document), encoding="utf-8")
    shutil.rmtree(work / "work")
    shutil.rmtree(folder, ignore_errors=True)
    work.rename(folder)


def _pyinstaller(environment: Environment, work: Path) -> None:
    # Fixed: two builds of the same base must not differ. The date is not the commit's, since a
    # base serves many commits.
    fixed = {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": "315532800"}
    folders = ("--workpath", work / "work", "--distpath", work)
    command = (environment.command("pyinstaller"), "--log-level", "WARN", "--noconfirm")
    try:
        run([*command, *folders, work / SPEC], cwd=work, env=fixed)
    except TaskError as error:
        if not any(words in str(error) for words in _NO_LIBRARY):
            raise
        python = environment.interpreter
        raise TaskError(
            f"Python {python.version} ({python.path}) has no shared library, which PyInstaller "
            "needs: install libpython (Debian: libpython3-dev), or a Python built with "
            "--enable-shared (PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install)"
        ) from error


def _import_all(work: Path, modules: Sequence[str]) -> None:
    """Import every distribution of the lock in what was collected.

    The program itself has no way to be asked that, so that nobody meets it by accident: a twin of
    it that does nothing else (program.spec) lies beside it as long as that takes.
    """
    name = "probe.exe" if platform.system() == "Windows" else "probe"
    (probe,) = (work / "work").glob(f"*/{name}")
    twin = shutil.copy(probe, work / "tree")
    try:
        loading.check([twin], modules, work / "tree", settings="deploy.offline_binary")
    finally:
        Path(twin).unlink()


def _describe(work: Path, environment: Environment) -> None:
    """Keep what came from the machine itself, whose upgrades make the base an old one.

    That is stripped, and nothing else: `strip` breaks libraries in wheels, such as numpy's.
    """
    pairs = json.loads((work / "sources.json").read_text(encoding="utf-8"))
    own = [(n, Path(s)) for n, s in pairs if not Path(s).is_relative_to(environment.folder)]
    if platform.system() == "Linux":
        run(["strip", *(work / "tree/_internal" / name for name, _ in own)])
    outside = sorted({path for _, path in own})
    digests = {p.name: artifact.sha256(p) for p in outside}
    (work / "libraries.json").write_text(json.dumps(digests), encoding="utf-8")
    (work / "collected.json").write_text(json.dumps(machine.seen(outside)), encoding="utf-8")


def _age(folder: Path) -> float:
    return -folder.stat().st_mtime
