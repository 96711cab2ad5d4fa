"""Makes the base of a bundle: gets wheels and interpreter, installs, compiles and packs them."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import lock
from ...console import TaskError, step
from ...environment import Environment, ensure
from ...process import run
from .. import archive, glibc, loading, machine, release_tree, sbom
from ..plan import Plan
from . import equip, relocate, wheels
from .base import BYTECODE_ARCHIVE, DEPENDENCIES, Base, template
from .environment import unpack
from .home import Home
from .launcher import TEMPLATE, Launcher
from .source import Source

ENVIRONMENT = Path(__file__).with_name("environment.py")
BYTECODE = Path(__file__).with_name("bytecode.py")
_KEPT_BASES = 3
_EPOCH = 315_532_800  # 1980-01-01: a base serves many commits
_LEVEL = 9
_NEEDED = ("installer/*.py", "installer/_scripts/__init__.py", "installer-*.dist-info/licenses/*")


def make(what: Plan, source: Source, tools: Environment, *, native: bool) -> Base:
    """Give the base for a plan, made now or kept from before.

    Raises `TaskError` for a dependency that cannot be had, and where a tool fails.
    """
    try:
        pinned = lock.requirements(what.project.lock, ["packages"])
    except lock.LockError as error:
        raise TaskError(str(error)) from error
    made_by = [*sorted(Path(__file__).parent.glob("*.py")), loading.MODULES, loading.PROBE]
    made_by += [what.project.root / TEMPLATE]
    facts = [pinned, source.kind, source.build, what.system, what.project.program]
    facts += [tools.folder.name, *(path.read_text(encoding="utf-8") for path in made_by)]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    kept = Base(what.rooms / f"base-{key}")
    for left in what.rooms.glob("base-*.*"):  # by a build that was killed
        shutil.rmtree(left)
    if not kept.is_current():
        work = kept.folder.with_name(f"{kept.folder.name}.{os.getpid()}")
        work.mkdir(parents=True)
        try:
            _Making(what, source, tools, Base(work), native).fill(pinned)
            shutil.rmtree(kept.folder, ignore_errors=True)
            work.rename(kept.folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    os.utime(kept.folder)
    for old in sorted(what.rooms.glob("base-*"), key=_age)[_KEPT_BASES:]:
        shutil.rmtree(old, ignore_errors=True)
    return kept


@dataclass(frozen=True)
class _Making:
    what: Plan
    source: Source
    tools: Environment
    base: Base
    native: bool

    def fill(self, pinned: str) -> None:
        """Fill the base's folder."""
        what, base = self.what, self.base
        version = ".".join(self.source.version.split(".")[:2])
        home = Home(base.bundle / f"Python{version}", version)
        with step(f"wheels for {what.system}, Python {self.source.version}"):
            self._wheels(pinned)
            made_here = wheels.write_requirements(base.bundle / DEPENDENCIES, pinned)
        with step(f"interpreter that runs from any folder ({self.source.kind})"):
            carried = self._interpreter(home)
        with step("environment and bytecode"):
            tree = base.folder / "tree"
            (tree / "python").parent.mkdir()
            shutil.copytree(home.folder, tree / "python")
            self._install(tree, Home(tree / "python", version))
            if self.native:
                carried += self._carry(home, tree)
            floor = glibc.floor(tree)
            packed = base.bundle / DEPENDENCIES / BYTECODE_ARCHIVE
            self._compile(Home(tree / "python", version).site, "--archive", packed)
        if self.native:
            carried += equip.carry_glibc(home)
        Launcher(template(what), home, floor).write_python()
        facts = {
            **self.source.facts(),
            "glibc_floor": floor,
            "glibc_carried": home.glibc.is_dir(),
            "built_from_source": made_here,
        }
        (base.folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        seen = json.dumps(machine.seen(carried))
        (base.folder / "carried.json").write_text(seen, encoding="utf-8")
        document = self._sbom(Home(tree / "python", version))
        (base.folder / "sbom.json").write_text(json.dumps(document), encoding="utf-8")
        self._keep(tree, home)
        release_tree.normalise(base.bundle, _EPOCH)
        with step("packing"):
            members = archive.below(base.bundle, f"{what.project.program}/")
            part = archive.part(members, _EPOCH, level=_LEVEL)
            (base.folder / "part.tar.gz").write_bytes(part)

    def _wheels(self, pinned: str) -> None:
        folder, target = self.base.bundle / DEPENDENCIES, self.what.system
        if self.native:
            wheels.native(self.tools, pinned, folder, target)
        else:
            wheels.foreign(self.tools, pinned, folder, target, version=self.source.version)

    def _interpreter(self, home: Home) -> list[Path]:
        """Make the interpreter; gives the machine's libraries that it took."""
        carried: list[Path] = []
        if self.source.standalone:
            relocate.from_standalone(self.source.standalone, home)
        else:
            carried = relocate.from_installed(self.what.interpreter.path, home, self.tools)
        equip.equip(home, self.tools)
        self._compile(home.folder)
        Launcher(template(self.what), home, "2.0").write_python()  # the floor is not known yet
        return carried

    def _install(self, tree: Path, home: Home) -> None:
        """Install the wheels as on a target."""
        _zip_installer(self.tools, self.base.installer)
        script, source = self.base.bundle / "Script", self.base.bundle / "ProjectSrc"
        script.mkdir()
        (source / "src").mkdir(parents=True)
        shutil.copy(self.base.installer, script)
        python = home.python if self.native else self.tools.python
        run([python, "-I", "-B", ENVIRONMENT, self.base.bundle, tree])
        shutil.rmtree(script)
        shutil.rmtree(source)

    def _sbom(self, home: Home) -> dict[str, Any]:
        """Describe what was installed; for another machine, what this one would install."""
        project, python = self.what.project, home.python
        if not self.native:
            python = ensure(project, self.what.interpreter, "packages").python
        return sbom.collect(project, self.tools, python, self.source.version)

    def _carry(self, home: Home, tree: Path) -> list[Path]:
        """Carry what the wheels expect of a machine, mostly the C++ library; gives where it was."""
        extensions = (p for p in (tree / "python/lib").rglob("*.so*") if p.is_file())
        carried = relocate.carry(extensions, home, self.tools, inside=tree)
        shutil.copytree(home.folder / "lib", tree / "python/lib", dirs_exist_ok=True)
        return carried

    def _keep(self, tree: Path, home: Home) -> None:
        """Keep the tree as a target makes it: all but the project's own code is there."""
        for compiled in tree.rglob("*.pyc"):  # left by what described it
            compiled.unlink()
        shutil.copytree(home.folder, tree / "python", dirs_exist_ok=True)
        site = Home(tree / "python", home.version).site
        unpack(self.base.bundle / DEPENDENCIES / BYTECODE_ARCHIVE, site)
        if self.native:
            with step("every distribution can be imported"):
                python = Home(tree / "python", home.version).python
                command: list[str | Path] = [python, "-I", "-B", loading.PROBE]
                loading.check(command, loading.modules(python), tree)
        release_tree.normalise(tree, _EPOCH)

    def _compile(self, folder: Path, *options: str | Path) -> None:
        """Compile with this machine's Python, which is of the same minor version."""
        compiler: list[str | Path] = [self.tools.python, "-I", "-B", BYTECODE, folder]
        run([*compiler, *options], env={"PYTHONHASHSEED": "1"})


def _zip_installer(tools: Environment, path: Path) -> None:
    """Zip the `installer` package without the Windows programs that are most of its size."""
    where = run([tools.python, "-c", "import installer; print(installer.__file__)"]).strip()
    packages = Path(where).parents[1]
    found = sorted(path for pattern in _NEEDED for path in packages.glob(pattern))
    archive.zipped(((p.relative_to(packages).as_posix(), p) for p in found), path)


def _age(folder: Path) -> float:
    return -folder.stat().st_mtime
