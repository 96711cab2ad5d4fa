"""`deploy.offline-binary`: a program that needs nothing on the machine it is carried to."""

import json
import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import lock, revision
from ..console import TaskError, closing, size, step
from ..environment import Environment, ensure, interpreter
from ..interpreter import Interpreter
from ..project import Project
from . import artifact, package, program, release_tree, sbom, smoke
from .onefile import onefile
from .settings import Settings

QUADRANT = "offline-binary"
CATEGORIES = ("packages", "build")
_RECORD = "published.json"
_NEXT = {
    ".deb": ("install", "sudo dpkg -i {}"),
    ".rpm": ("or", "sudo dnf install {}"),
    ".run": ("start", "{} serve"),
}


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a build gives."""

    project: Project
    revision: revision.Revision
    interpreter: Interpreter
    settings: Settings
    onefile: bool

    @property
    def system(self) -> str:
        """The system and machine that are built on and for: `linux-x86_64`."""
        return f"{platform.system()}-{platform.machine()}".lower()

    @property
    def packages(self) -> bool:
        """Whether packages for Linux machines are made besides the program."""
        return platform.system() == "Linux" and not self.onefile

    @property
    def target(self) -> Path:
        """Where the artefacts are published."""
        return self.project.dist / QUADRANT

    @property
    def key(self) -> str:
        """What must be unchanged for the published artefacts to be still the right ones."""
        facts = [self.revision.inputs, self.revision.release, self.revision.epoch, self.system,
                 self.interpreter.build, self.onefile, asdict(self.settings)]  # fmt: skip
        return json.dumps(facts, sort_keys=True)


def plan(project: Project, settings: Settings, *, python: str | None, onefile: bool) -> Plan:
    """Decide what to build from the project as it is now.

    Raises `TaskError` for a Python that is not supported or not here.
    """
    found = interpreter(project, python)
    return Plan(project, revision.current(project), found, settings, onefile)


def describe(what: Plan) -> None:
    """Say what a build would do."""
    made = "one executable file" if what.onefile else "program, archive"
    rows = {
        "release": what.revision.release,
        "python": f"{what.interpreter.version} ({what.interpreter.path})",
        "platform": what.system,
        "makes": f"{made}, .deb, .rpm" if what.packages else made,
        "where": _shown(what.target, what.project),
        "state": "unchanged, nothing to do" if published(what) else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(what: Plan) -> None:
    """Build, try and publish the artefacts, unless they are there and unchanged.

    Raises `TaskError` where any step fails; what was published before is whole then.
    """
    start = time.monotonic()
    with artifact.exclusive(what.project.build):
        fresh = not published(what)
        if fresh:
            with artifact.staging(what.target) as output:
                base = _fill(what, output)
            _record(what, base)
    _report(what, time.monotonic() - start, fresh=fresh)


def published(what: Plan) -> bool:
    """Tell whether exactly this build is published, every byte of it as it was."""
    try:
        record = json.loads((_rooms(what) / _RECORD).read_text(encoding="utf-8"))
        current = program.Base(_rooms(what) / record["base"]).is_current()
        return bool(record["key"] == what.key and current and not artifact.verify(what.target))
    except (OSError, ValueError, TaskError):
        return False


def _fill(what: Plan, output: Path) -> program.Base:
    environment = ensure(what.project, what.interpreter, *CATEGORIES)
    base = program.base(what.project, environment, what.settings)
    work = _rooms(what) / "work"
    shutil.rmtree(work, ignore_errors=True)
    tree = work / "tree"
    with step("the project's own code"):
        program.assemble(what.project, environment, base, what.revision, tree / "bin")
        floor = program.glibc_floor(tree / "bin")
    artifact.write_manifest(output, _facts(what, base, floor))
    sbom.write(output / artifact.SBOM, base.sbom(), what.project, what.revision.release)
    with ThreadPoolExecutor() as pool:
        pack = _pack_onefile if what.onefile else _pack_release
        packing = pool.submit(pack, what, environment, tree, output, floor)
        if what.onefile:
            packing.result()
        started = next(output.glob("*.run")) if what.onefile else _executable(what, tree)
        with step("the built program answers for its release"):
            smoke.check(started, what.project, what.revision)
        with step("packing"):
            packing.result()
    artifact.write_checksums(output)
    release_tree.normalise(output, what.revision.epoch)
    shutil.rmtree(work)
    return base


def _pack_release(
    what: Plan, environment: Environment, tree: Path, output: Path, floor: str
) -> None:
    target = release_tree.Target(
        machine=platform.machine(),
        glibc=floor,
        keep_releases=what.settings.keep_releases,
        health_seconds=what.settings.health_seconds,
    )
    shutil.copyfile(output / artifact.MANIFEST, tree / artifact.MANIFEST)
    release_tree.lay_out(tree, what.project, what.revision, target)
    packing = package.Packing(
        what.project, environment, what.revision, target, tree, tree.parent, output
    )
    package.pack(packing, packages=what.packages)


def _pack_onefile(
    what: Plan, _environment: Environment, tree: Path, output: Path, _floor: str
) -> None:
    release_tree.normalise(tree, what.revision.epoch)
    head = (what.project.root / program.FOLDER / "launcher.sh").read_text(encoding="utf-8")
    payload = package.tarball(tree / "bin", "", what.revision.epoch)
    path = output / f"{what.project.program}-{what.project.version}-{what.system}.run"
    path.write_bytes(onefile(head, release_tree.tokens(what.project), payload))
    path.chmod(0o755)


def _executable(what: Plan, tree: Path) -> Path:
    suffix = ".exe" if platform.system() == "Windows" else ""
    return tree / "bin" / f"{what.project.program}{suffix}"


def _facts(what: Plan, base: program.Base, floor: str) -> dict[str, Any]:
    return {
        "name": what.project.program,
        "version": what.project.version,
        "release": what.revision.release,
        "commit": what.revision.commit,
        "dirty": what.revision.dirty,
        "quadrant": QUADRANT,
        "python": what.interpreter.version,
        "platform": what.system,
        "glibc_floor": floor if platform.system() == "Linux" else None,
        "lock_sha256": lock.digest(what.project.lock),
        "source_date": datetime.fromtimestamp(what.revision.epoch, UTC).isoformat(),
        "libraries": base.libraries(),
    }


def _record(what: Plan, base: program.Base) -> None:
    text = json.dumps({"key": what.key, "base": base.folder.name})
    (_rooms(what) / _RECORD).write_text(text, encoding="utf-8")


def _rooms(what: Plan) -> Path:
    return what.project.build / QUADRANT


def _report(what: Plan, seconds: float, *, fresh: bool) -> None:
    rows = {"release": what.revision.release, "where": _shown(what.target, what.project)}
    for path in sorted(what.target.iterdir()):
        rows[path.name] = size(path)
    rows["seconds"] = f"{seconds:.1f}"
    rows |= _next_step(what)
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)


def _next_step(what: Plan) -> dict[str, str]:
    found = {path.suffix: path.relative_to(what.project.root) for path in what.target.iterdir()}
    steps = {
        title: command.format(found[suffix].as_posix())
        for suffix, (title, command) in _NEXT.items()
        if suffix in found
    }
    return steps or {"not here": "the .deb and the .rpm are built on Linux"}


def _shown(path: Path, project: Project) -> str:
    return f"{path.relative_to(project.root).as_posix()}/"
