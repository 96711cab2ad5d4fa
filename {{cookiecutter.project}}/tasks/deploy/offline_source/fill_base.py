"""Makes the base of a bundle: gets wheels and interpreter, installs, compiles and packs them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...lib.console import step
from ...lib.environment import Environment, ensure, pinned
from ...lib.interpreter import minor
from ...lib.process import EARLIEST, REPRODUCIBLE, run
from ..build import SCRIPTS, archive, bases, glibc, loading, release_tree, sbom
from ..build.plan import Plan
from . import additions, relocate, wheels
from .bundle_base import BYTECODE_ARCHIVE, DEPENDENCIES, BundleBase, template
from .carried_python import CarriedPython
from .interpreter_source import InterpreterSource
from .launcher import FOLDER, TEMPLATE, Launcher

MAKE_RELEASE = FOLDER / "make_release.py"
BYTECODE = SCRIPTS / "bytecode.py"
_NEEDED = ("installer/*.py", "installer/_scripts/__init__.py", "installer-*.dist-info/licenses/*")


def obtain(plan: Plan, source: InterpreterSource, tools: Environment) -> BundleBase:
    """Return the base for a plan, filled now or kept from before.

    Raises `TaskError` for a dependency that cannot be had, and where a tool fails.
    """
    requirements = pinned(plan.project, "packages")
    facts = [requirements, source.kind, source.build, plan.system, plan.project.program]
    facts += [tools.folder.name]
    code = [Path(__file__).parent, *(plan.project.root / name for name in (TEMPLATE, MAKE_RELEASE))]

    def fill(work: Path) -> list[Path]:
        return _Filling(plan, source, tools, BundleBase(work)).fill(requirements)

    return BundleBase(bases.obtain(plan.build, facts, code, fill))


@dataclass(frozen=True)
class _Filling:
    """Fills the folder of a base."""

    plan: Plan
    source: InterpreterSource
    tools: Environment
    base: BundleBase

    def fill(self, requirements: str) -> list[Path]:
        """Fill the folder; return the files of this machine that went into it."""
        plan, base = self.plan, self.base
        version = minor(self.source.version)
        home = CarriedPython(base.bundle / f"Python{version}", version)
        with step(f"wheels for {plan.system}, Python {self.source.version}"):
            self._wheels(requirements)
            made_here = wheels.write_requirements(base.bundle / DEPENDENCIES, requirements)
        with step(f"interpreter that runs from any folder ({self.source.kind})"):
            taken = self._interpreter(home)
        with step("environment and bytecode"):
            tree = base.folder / "tree"
            (tree / "python").parent.mkdir()
            shutil.copytree(home.folder, tree / "python")
            self._install(tree, CarriedPython(tree / "python", version))
            if self.plan.native:
                taken += self._add_libraries(home, tree)
            floor = glibc.floor(tree)
            packed = base.bundle / DEPENDENCIES / BYTECODE_ARCHIVE
            self._compile(CarriedPython(tree / "python", version).site, "--archive", packed)
        if self.plan.native:
            taken += additions.add_glibc(home)
        Launcher(template(plan), home, floor).write_python()
        facts = {
            **self.source.facts(),
            "glibc_floor": floor,
            "glibc_carried": home.glibc.is_dir(),
            "built_from_source": made_here,
        }
        self._write("facts.json", facts)
        self._write("sbom.json", self._sbom(CarriedPython(tree / "python", version)))
        self._keep(tree, home)
        release_tree.normalise(base.bundle, EARLIEST)
        with step("packing"):
            self._pack()
        return taken

    def _write(self, name: str, document: object) -> None:
        (self.base.folder / name).write_text(json.dumps(document), encoding="utf-8")

    def _pack(self) -> None:
        members = archive.below(self.base.bundle, f"{self.plan.project.program}/")
        part = archive.part(members, EARLIEST)
        (self.base.folder / "part.tar.gz").write_bytes(part)

    def _wheels(self, requirements: str) -> None:
        folder, system = self.base.bundle / DEPENDENCIES, self.plan.system
        if self.plan.native:
            wheels.native(self.tools, requirements, folder, system)
        else:
            wheels.foreign(self.tools, requirements, folder, system, version=self.source.version)

    def _interpreter(self, home: CarriedPython) -> list[Path]:
        """Make the interpreter; return the machine's libraries that it took."""
        taken: list[Path] = []
        if self.source.standalone:
            relocate.from_standalone(self.source.standalone, home)
        else:
            taken = relocate.from_installed(self.plan.interpreter.path, home, self.tools)
        additions.add_data(home, self.tools)
        self._compile(home.folder)
        Launcher(template(self.plan), home, "2.0").write_python()  # the floor is not known yet
        return taken

    def _install(self, tree: Path, home: CarriedPython) -> None:
        """Install the wheels as on a target."""
        _zip_installer(self.tools, self.base.installer)
        script = self.base.bundle / "Script"
        script.mkdir()
        shutil.copy(self.base.installer, script)
        self._add("wheels", tree, home.python if self.plan.native else self.tools.python)
        shutil.rmtree(script)

    def _add(self, part: str, tree: Path, python: Path) -> None:
        make_release = self.plan.project.root / MAKE_RELEASE
        run([python, "-I", "-B", make_release, "--only", part, self.base.bundle, tree])

    def _sbom(self, home: CarriedPython) -> dict[str, Any]:
        """Return the bill of materials; for another machine, of what this one would install."""
        project, python = self.plan.project, home.python
        if not self.plan.native:
            python = ensure(project, self.plan.interpreter, "packages").python
        return sbom.collect(project, self.tools, python, self.source.version)

    def _add_libraries(self, home: CarriedPython, tree: Path) -> list[Path]:
        """Add the libraries that wheels expect, such as libstdc++; return where they were."""
        extensions = (p for p in (tree / "python/lib").rglob("*.so*") if p.is_file())
        taken = relocate.add_libraries(extensions, home, self.tools, inside=tree)
        shutil.copytree(home.folder / "lib", tree / "python/lib", dirs_exist_ok=True)
        return taken

    def _keep(self, tree: Path, home: CarriedPython) -> None:
        """Keep the tree as a target makes it, without the project's own code."""
        for compiled in tree.rglob("*.pyc"):  # left by what made the bill of materials
            compiled.unlink()
        shutil.copytree(home.folder, tree / "python", dirs_exist_ok=True)
        self._add("bytecode", tree, self.tools.python)
        if self.plan.native:
            with step("every distribution can be imported"):
                python = CarriedPython(tree / "python", home.version).python
                command: list[str | Path] = [python, "-I", "-B", SCRIPTS / "probe.py"]
                loading.check(command, loading.modules(python), tree, python)
        release_tree.normalise(tree, EARLIEST)

    def _compile(self, folder: Path, *options: str | Path) -> None:
        """Compile with this machine's Python, which is of the same minor version."""
        compiler: list[str | Path] = [self.tools.python, "-I", "-B", BYTECODE, folder]
        run([*compiler, *options], env=REPRODUCIBLE)


def _zip_installer(tools: Environment, path: Path) -> None:
    """Zip the `installer` package without the Windows programs that are most of its size."""
    where = run([tools.python, "-c", "import installer; print(installer.__file__)"]).strip()
    packages = Path(where).parents[1]
    found = sorted(path for pattern in _NEEDED for path in packages.glob(pattern))
    archive.zipped(((p.relative_to(packages).as_posix(), p) for p in found), path)
