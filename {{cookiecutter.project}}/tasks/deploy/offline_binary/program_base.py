"""Collects the base of a program with PyInstaller: everything but the project's own code.

PyInstaller takes half a minute, and what it collects (interpreter, dependencies, libraries) changes
with the lock, the interpreter and the set of imported modules, not with each line of the project's
own code. So it collects neither the project's package nor the engine.
"""

import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...lib import lock
from ...lib.console import TaskError, step
from ...lib.environment import Environment
from ...lib.process import REPRODUCIBLE, require, run
from ...lib.project import Project
from ..build import SCRIPTS, bases, loading, publish, release_tree, sbom
from ..build.plan import Plan
from ..build.render import render

FOLDER = Path("deploy/offline-binary")
_SPEC = "program.spec"
_HOOK = "listing.py"
"""What the program runs first."""
_ENTRIES = ("entry.py.in", "admin.py.in")
"""Templates of the scripts that start the program and its engine."""
_NO_LIBRARY = ("PythonLibraryNotFound", "Python was built without a shared library")
_TOOLS = {"Linux": ("objcopy", "objdump", "ldd", "strip")}


@dataclass(frozen=True)
class ProgramBase:
    """A program without the project's own code, as PyInstaller collected it."""

    folder: Path

    @property
    def tree(self) -> Path:
        """The folder with the executable and `_internal/`."""
        return self.folder / "tree"

    def libraries(self) -> dict[str, str]:
        """Return the SHA-256 of each library that the build machine contributed, by file name."""
        return dict(json.loads((self.folder / "libraries.json").read_text(encoding="utf-8")))

    def sbom(self) -> dict[str, Any]:
        """Return the bill of materials of what was collected (a CycloneDX document)."""
        return dict(json.loads((self.folder / "sbom.json").read_text(encoding="utf-8")))


def require_tools() -> None:
    """Check that the tools which PyInstaller needs are installed; raise `TaskError` otherwise."""
    require(_TOOLS.get(platform.system(), ()), "PyInstaller")


def obtain(plan: Plan, environment: Environment) -> ProgramBase:
    """Return the base for the project's imports, collected now or kept from before.

    Raises `TaskError` where PyInstaller or a tool that it needs fails.
    """
    project, settings = plan.project, plan.settings
    folder = project.root / FOLDER
    runtime = lock.packages(project.lock, "packages")
    wanted = {
        "name": project.program,
        "package": project.package,
        **_imports(project, environment),
        "distributions": loading.modules(environment.python, *runtime),
        "hidden_imports": settings.hidden_imports,
        "collect_submodules": settings.collect_submodules,
        "collect_data": settings.collect_data,
    }
    facts = [environment.folder.name, wanted]
    code = [Path(__file__), *(folder / name for name in (_SPEC, _HOOK, *_ENTRIES))]
    collection = _Collection(project, environment, wanted)
    return ProgramBase(bases.obtain(plan.build, facts, code, collection.fill))


def _imports(project: Project, environment: Environment) -> dict[str, Any]:
    packages = (project.source, project.root / release_tree.ENGINE)
    runtime = lock.packages(project.lock, "packages")
    said = run([environment.python, "-P", SCRIPTS / "imports.py", *packages, *runtime])
    return dict(json.loads(said))


@dataclass(frozen=True)
class _Collection:
    """Collects a base into an empty folder."""

    project: Project
    environment: Environment
    wanted: Mapping[str, Any]
    """What program.spec reads."""

    def fill(self, work: Path) -> list[Path]:
        """Fill the folder; return the files of this machine that went into it."""
        with step("PyInstaller collects the interpreter and the dependencies"):
            self._write_inputs(work)
            _pyinstaller(self.environment, work)
            outside = self._strip(work)
            _import_all(work, self.wanted["distributions"], self.environment.python)
            version = self.environment.interpreter.version
            document = sbom.collect(
                self.project, self.environment, self.environment.python, version
            )
            (work / "sbom.json").write_text(json.dumps(document), encoding="utf-8")
            shutil.rmtree(work / "work")
        return outside

    def _write_inputs(self, work: Path) -> None:
        """Write what PyInstaller reads: the spec, its plan.json, and the entry scripts."""
        folder = self.project.root / FOLDER
        runtime = lock.packages(self.project.lock, "packages")
        named = run([self.environment.python, "-I", "-B", SCRIPTS / "named.py", *runtime])
        wanted = {**self.wanted, "named": json.loads(named)}
        (work / "plan.json").write_text(json.dumps(wanted), encoding="utf-8")
        for name in (_SPEC, _HOOK):
            shutil.copyfile(folder / name, work / name)
        shutil.copyfile(SCRIPTS / "probe.py", work / "probe.py")
        for name in _ENTRIES:
            text = (folder / name).read_text(encoding="utf-8")
            script = render(text, release_tree.tokens(self.project))
            (work / name.removesuffix(".in")).write_text(script, encoding="utf-8")

    def _strip(self, work: Path) -> list[Path]:
        """Strip what came from the machine itself and write down its digests; return its files.

        Nothing else is stripped: `strip` breaks libraries in wheels, such as numpy's.
        """
        pairs = json.loads((work / "sources.json").read_text(encoding="utf-8"))
        here = self.environment.folder
        own = [(name, Path(source)) for name, source in pairs]
        own = [(name, source) for name, source in own if not source.is_relative_to(here)]
        if platform.system() == "Linux":
            run(["strip", *(work / "tree/_internal" / name for name, _ in own)])
        outside = sorted({source for _, source in own})
        digests = {path.name: publish.sha256(path) for path in outside}
        (work / "libraries.json").write_text(json.dumps(digests), encoding="utf-8")
        return outside


def _pyinstaller(environment: Environment, work: Path) -> None:
    folders = ("--workpath", work / "work", "--distpath", work)
    command = (environment.command("pyinstaller"), "--log-level", "WARN", "--noconfirm")
    try:
        run([*command, *folders, work / _SPEC], cwd=work, env=REPRODUCIBLE)
    except TaskError as error:
        if not any(words in str(error) for words in _NO_LIBRARY):
            raise
        python = environment.interpreter
        raise TaskError(
            f"Python {python.version} ({python.path}) has no shared library, which PyInstaller "
            "needs: install libpython (Debian: libpython3-dev), or a Python built with "
            "--enable-shared (PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install)"
        ) from error


def _import_all(work: Path, modules: Sequence[str], python: Path) -> None:
    """Import every distribution of the lock in what was collected.

    The program itself has no such command, so that nobody starts it by accident. program.spec makes
    a second executable that does nothing else; it lies beside the program during this check.
    """
    name = "probe.exe" if platform.system() == "Windows" else "probe"
    (probe,) = (work / "work").glob(f"*/{name}")
    twin = shutil.copy(probe, work / "tree")
    try:
        loading.check([twin], modules, work / "tree", python, settings="deploy.offline_binary")
    finally:
        Path(twin).unlink()
