"""Puts the project's own code and the engine, compiled, into a copy of the base."""

import shutil
from pathlib import Path

from ...lib.environment import Environment
from ...lib.process import REPRODUCIBLE, run
from ...lib.project import Project
from ...lib.revision import LEFTOVERS, Revision
from ..build import release_tree
from .program_base import ProgramBase


def assemble(
    project: Project, environment: Environment, base: ProgramBase, revision: Revision, folder: Path
) -> None:
    """Write the whole program to `folder`: the base and the compiled package, with its release."""
    shutil.copytree(base.tree, folder)
    package = _copy(project.source, folder / "_internal" / project.package)
    (package / "release.json").write_text(revision.stamp(project.serves), encoding="utf-8")
    _compile(environment, package)


def add_engine(project: Project, environment: Environment, folder: Path) -> None:
    """Complete the engine, the second program in `folder`, which shares all files."""
    engine = project.root / release_tree.ENGINE
    _compile(environment, _copy(engine, folder / "_internal" / "host", "*.sh"))


def remove_engine(project: Project, folder: Path) -> None:
    """Remove the second program from a release that is only started, never installed."""
    for engine in folder.glob(f"{release_tree.admin(project)}*"):
        engine.unlink()


def _copy(source: Path, folder: Path, *unwanted: str) -> Path:
    ignored = shutil.ignore_patterns(*LEFTOVERS, *unwanted)
    return shutil.copytree(source, folder, ignore=ignored)


def _compile(environment: Environment, package: Path) -> None:
    """Replace a package's source by bytecode."""
    # No paths of the build machine in tracebacks, and no time stamps: the same bytes anywhere.
    compiling = ["-m", "compileall", "-q", "-f", "-b", "-o", "1", "--invalidation-mode"]
    run(
        [environment.python, *compiling, "unchecked-hash", "-s", package.parent, package],
        env=REPRODUCIBLE,
    )
    for source in package.rglob("*.py"):
        source.unlink()
