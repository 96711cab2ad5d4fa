"""Builds the program, tries it, and publishes it in every form."""

import platform
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...checks import served
from ...lib import files
from ...lib.console import closing, size, step
from ...lib.environment import Environment, ensure
from ..build import glibc, publish, release_tree, sbom, smoke
from ..build.plan import Plan
from ..build.record import build_once, is_published
from . import package, program, program_base
from .artefacts import Artefacts
from .program_base import ProgramBase

QUADRANT = "offline-binary"
CATEGORIES = ("packages", "build")
_START = {"service": "serve", "worker": "serve", "cli": "--help"}
"""How one starts a program of each kind."""


def describe(plan: Plan) -> None:
    """Print what a build would do; raise `TaskError` for what it would refuse before it begins."""
    program_base.require_tools()
    packages = [f".{name}" for name in plan.settings.packages] if plan.for_hosts else []
    rows = {
        "release": plan.revision.release,
        "python": f"{plan.interpreter.version} ({plan.interpreter.path})",
        "platform": plan.system,
        "makes": (
            "one executable file" if plan.onefile else ", ".join(["program", "archive", *packages])
        ),
        "where": plan.where,
        "state": "unchanged, nothing to do" if is_published(plan) else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(plan: Plan) -> Artefacts:
    """Build, try and publish the artefacts, unless they are there and unchanged.

    Raises `TaskError` where any step fails; what was published before stays whole.
    """
    start = time.monotonic()
    program_base.require_tools()
    with publish.exclusive(plan.project.build):
        fresh = build_once(plan, lambda output: _build(plan, output))
    artefacts = Artefacts(plan, plan.dist)
    _report(artefacts, time.monotonic() - start, fresh=fresh)
    return artefacts


def _build(plan: Plan, output: Path) -> Path:
    environment = ensure(plan.project, plan.interpreter, *CATEGORIES)
    with step("the program that [tool.program] names"):
        served.require(plan.project, environment.python)
    base = program_base.obtain(plan, environment)
    work = plan.build / "work"
    if work.exists():
        files.remove(work)
    tree = work / "tree"
    with step("the project's own code"):
        _assemble(plan, environment, base, tree / "bin")
        floor = glibc.floor(tree / "bin")
    publish.write_manifest(output, _facts(plan, base, floor))
    sbom.write(output / publish.SBOM, base.sbom(), plan.project, plan.revision.release)
    packing = package.Packing(plan, environment, floor, tree, Artefacts(plan, output))
    if plan.onefile:
        with step("packing"):
            package.single(packing)
        _try(plan, packing.artefacts.single)
    else:
        _pack_and_try(packing)
    files.remove(work)
    return base.folder


def _assemble(plan: Plan, environment: Environment, base: ProgramBase, target: Path) -> None:
    program.assemble(plan.project, environment, base, plan.revision, target)
    if _has_engine(plan):
        program.add_engine(plan.project, environment, target)
    else:
        program.remove_engine(plan.project, target)


def _has_engine(plan: Plan) -> bool:
    return plan.for_hosts and not plan.onefile


def _pack_and_try(packing: package.Packing) -> None:
    """Pack the release while the program in it is tried."""
    plan, tree = packing.plan, packing.tree
    with ThreadPoolExecutor() as pool:
        packed = pool.submit(package.release, packing)
        _try(plan, tree / "bin" / _executable(plan))
        with step("packing"):
            packed.result()
    if _has_engine(plan):
        release_tree.try_engine(tree, plan.project)


def _try(plan: Plan, built: Path) -> None:
    with step("the built program answers for its release"):
        smoke.check(built, plan.project, plan.revision)


def _executable(plan: Plan) -> str:
    return f"{plan.project.program}{'.exe' if platform.system() == 'Windows' else ''}"


def _facts(plan: Plan, base: ProgramBase, floor: str) -> dict[str, Any]:
    return {
        **plan.facts(),
        "python": plan.interpreter.version,
        "glibc_floor": floor if plan.for_hosts else None,
        "libraries": base.libraries(),
    }


def _report(artefacts: Artefacts, seconds: float, *, fresh: bool) -> None:
    plan = artefacts.plan
    rows = {"release": plan.revision.release, "where": plan.where}
    rows |= {path.name: size(path) for path in sorted(plan.dist.iterdir())}
    rows["seconds"] = f"{seconds:.1f}"
    next_steps = {
        "install": ("sudo dpkg -i {}", artefacts.deb),
        "or": ("sudo dnf install {}", artefacts.rpm),
        "start": (f"{{}} {_START[plan.project.kind]}", artefacts.single),
    }
    if not plan.for_hosts:
        next_steps["unpack"] = ("tar -xzf {}", artefacts.archive)
    for title, (command, path) in next_steps.items():
        if path.exists():
            rows[title] = command.format(path.relative_to(plan.project.root).as_posix())
    if not plan.for_hosts:
        rows["not here"] = "the .deb and the .rpm are built on Linux"
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)
