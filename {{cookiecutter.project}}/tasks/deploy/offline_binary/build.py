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
from . import package, program

QUADRANT = "offline-binary"
CATEGORIES = ("packages", "build")
_NEXT = {
    ".deb": ("install", "sudo dpkg -i {}"),
    ".rpm": ("or", "sudo dnf install {}"),
    ".run": ("start", "{} serve"),
}


def describe(what: Plan) -> None:
    """Say what a build would do; raises `TaskError` for what it would refuse before it begins."""
    program.require_tools()
    hosts = "program, archive, .deb, .rpm" if what.for_hosts else "program, archive"
    rows = {
        "release": what.revision.release,
        "python": f"{what.interpreter.version} ({what.interpreter.path})",
        "platform": what.system,
        "makes": "one executable file" if what.onefile else hosts,
        "where": _shown(what),
        "state": "unchanged, nothing to do" if _published(what) else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(what: Plan) -> None:
    """Build, try and publish the artefacts, unless they are there and unchanged.

    Raises `TaskError` where any step fails; what was published before is whole then.
    """
    start = time.monotonic()
    program.require_tools()
    with publish.exclusive(what.project.build):
        fresh = not _published(what)
        if fresh:
            with publish.staging(what.target) as output:
                base = _fill(what, output)
            record(what, base.folder.name)
    _report(what, time.monotonic() - start, fresh=fresh)


def _published(what: Plan) -> bool:
    return published(what, lambda name: program.Base(what.rooms / name).is_current())


def _fill(what: Plan, output: Path) -> program.Base:
    environment = ensure(what.project, what.interpreter, *CATEGORIES)
    base = program.base(what.project, environment, what.settings)
    work = what.rooms / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    with step("the project's own code"):
        engine = what.for_hosts and not what.onefile
        program.assemble(what.project, environment, base, what.revision, tree / "bin")
        if engine:
            program.add_engine(what.project, environment, tree / "bin")
        else:
            program.remove_engine(what.project, tree / "bin")
        floor = glibc.floor(tree / "bin")
    publish.write_manifest(output, _facts(what, base, floor))
    sbom.write(output / publish.SBOM, base.sbom(), what.project, what.revision.release)
    packing = package.Packing(what, environment, floor, tree, output)
    if what.onefile:
        with step("packing"):
            single = package.single(packing)
        _try(what, single)
    else:
        with ThreadPoolExecutor() as pool:
            packed = pool.submit(package.release, packing)
            _try(what, tree / "bin" / _executable(what))
            with step("packing"):
                packed.result()
        if engine:
            release_tree.try_engine(tree, what.project)
    publish.write_checksums(output)
    signing.sign(output, what.settings)
    release_tree.normalise(output, what.revision.epoch)
    shutil.rmtree(work)
    return base


def _try(what: Plan, built: Path) -> None:
    with step("the built program answers for its release"):
        smoke.check(built, what.project, what.revision)


def _executable(what: Plan) -> str:
    return f"{what.project.program}{'.exe' if platform.system() == 'Windows' else ''}"


def _facts(what: Plan, base: program.Base, floor: str) -> dict[str, Any]:
    return {
        **what.facts(),
        "python": what.interpreter.version,
        "glibc_floor": floor if what.for_hosts else None,
        "libraries": base.libraries(),
    }


def _report(what: Plan, seconds: float, *, fresh: bool) -> None:
    rows = {"release": what.revision.release, "where": _shown(what)}
    found = sorted(what.target.iterdir())
    rows |= {path.name: size(path) for path in found}
    rows["seconds"] = f"{seconds:.1f}"
    by_suffix = {path.suffix: path.relative_to(what.project.root).as_posix() for path in found}
    for suffix, (title, command) in _NEXT.items():
        if suffix in by_suffix:
            rows[title] = command.format(by_suffix[suffix])
    if not what.for_hosts:
        rows["not here"] = "the .deb and the .rpm are built on Linux"
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)


def _shown(what: Plan) -> str:
    return f"{what.target.relative_to(what.project.root).as_posix()}/"
