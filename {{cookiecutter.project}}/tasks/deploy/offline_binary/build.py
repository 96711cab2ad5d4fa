"""Builds the program, tries it, and publishes it in every form."""

import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...lib.console import closing, size, step
from ...lib.environment import ensure
from ..build import glibc, publish, release_tree, sbom, signing, smoke
from ..build.plan import Plan, published, record
from . import package, program, program_base
from .program_base import ProgramBase

QUADRANT = "offline-binary"
CATEGORIES = ("packages", "build")
_NEXT = {
    ".deb": ("install", "sudo dpkg -i {}"),
    ".rpm": ("or", "sudo dnf install {}"),
    ".run": ("start", "{} serve"),
}


def describe(plan: Plan) -> None:
    """Say what a build would do; raises `TaskError` for what it would refuse before it begins."""
    program_base.require_tools()
    hosts = "program, archive, .deb, .rpm" if plan.for_hosts else "program, archive"
    rows = {
        "release": plan.revision.release,
        "python": f"{plan.interpreter.version} ({plan.interpreter.path})",
        "platform": plan.system,
        "makes": "one executable file" if plan.onefile else hosts,
        "where": _shown(plan),
        "state": "unchanged, nothing to do" if published(plan) else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(plan: Plan) -> None:
    """Build, try and publish the artefacts, unless they are there and unchanged.

    Raises `TaskError` where any step fails; what was published before is whole then.
    """
    start = time.monotonic()
    program_base.require_tools()
    with publish.exclusive(plan.project.build):
        fresh = not published(plan)
        if fresh:
            with publish.staging(plan.dist) as output:
                base = _fill(plan, output)
            record(plan, base.folder)
    _report(plan, time.monotonic() - start, fresh=fresh)


def _fill(plan: Plan, output: Path) -> ProgramBase:
    environment = ensure(plan.project, plan.interpreter, *CATEGORIES)
    base = program_base.obtain(plan, environment)
    work = plan.build / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    with step("the project's own code"):
        engine = plan.for_hosts and not plan.onefile
        program.assemble(plan.project, environment, base, plan.revision, tree / "bin")
        if engine:
            program.add_engine(plan.project, environment, tree / "bin")
        else:
            program.remove_engine(plan.project, tree / "bin")
        floor = glibc.floor(tree / "bin")
    publish.write_manifest(output, _facts(plan, base, floor))
    sbom.write(output / publish.SBOM, base.sbom(), plan.project, plan.revision.release)
    packing = package.Packing(plan, environment, floor, tree, output)
    if plan.onefile:
        with step("packing"):
            single = package.single(packing)
        _try(plan, single)
    else:
        with ThreadPoolExecutor() as pool:
            packed = pool.submit(package.release, packing)
            _try(plan, tree / "bin" / _executable(plan))
            with step("packing"):
                packed.result()
        if engine:
            release_tree.try_engine(tree, plan.project)
    publish.write_checksums(output)
    signing.sign(output, plan.settings)
    release_tree.normalise(output, plan.revision.epoch)
    shutil.rmtree(work)
    return base


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


def _report(plan: Plan, seconds: float, *, fresh: bool) -> None:
    rows = {"release": plan.revision.release, "where": _shown(plan)}
    found = sorted(plan.dist.iterdir())
    rows |= {path.name: size(path) for path in found}
    rows["seconds"] = f"{seconds:.1f}"
    by_suffix = {path.suffix: path.relative_to(plan.project.root).as_posix() for path in found}
    for suffix, (title, command) in _NEXT.items():
        if suffix in by_suffix:
            rows[title] = command.format(by_suffix[suffix])
    if not plan.for_hosts:
        rows["not here"] = "the .deb and the .rpm are built on Linux"
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)


def _shown(plan: Plan) -> str:
    return f"{plan.dist.relative_to(plan.project.root).as_posix()}/"
