"""Builds a bundle, tries what it installs, and publishes it."""

import os
import shutil
import time
from pathlib import Path

from ...checks import served
from ...lib import git, revision
from ...lib.console import closing, size, step
from ...lib.environment import Environment, ensure
from ...lib.process import REPRODUCIBLE, run
from ..build import archive, publish, release_tree, sbom, signing, smoke
from ..build.plan import Plan
from ..build.record import build_once, is_published
from ..build.render import render
from ..build.self_extracting import onefile
from . import fill_base
from .artefacts import Artefacts
from .bundle_base import BundleBase
from .carried_python import CarriedPython
from .fill_base import BYTECODE, MAKE_RELEASE
from .interpreter_source import InterpreterSource, choose, native_interpreter
from .launcher import FOLDER
from .relocate import require_tools

QUADRANT = "offline-source"
CATEGORY = "bundle"
SCRIPTS = (
    "install.sh", "run.sh", "verify.sh", "rollback.sh", "uninstall.sh", "start.sh",
    "engine.py", "run.py", "make_release.py", "temporary.py",
)  # fmt: skip


def describe(plan: Plan) -> None:
    """Print what a build would do; raise `TaskError` for what it would refuse before it begins."""
    source, made = _source(plan, fetch=False), Artefacts(plan, plan.dist)
    unchanged = is_published(plan, **source.facts())
    rows = {
        "release": plan.revision.release,
        "python": f"{source.version} ({source.kind})",
        "platform": plan.system,
        "makes": f"{made.single.name}, {made.archive.name}",
        "where": plan.where,
        "state": "unchanged, nothing to do" if unchanged else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(plan: Plan) -> Artefacts:
    """Build, try and publish the bundle, unless it is there and unchanged.

    Raises `TaskError` where any step fails; what was published before stays whole.
    """
    start = time.monotonic()
    with publish.exclusive(plan.project.build):
        source = _source(plan, fetch=True)
        fresh = build_once(plan, lambda output: _build(plan, source, output), **source.facts())
    artefacts = Artefacts(plan, plan.dist)
    _report(artefacts, time.monotonic() - start, fresh=fresh)
    return artefacts


def _source(plan: Plan, *, fetch: bool) -> InterpreterSource:
    source = choose(plan, fetch=fetch)
    if not source.standalone:
        require_tools()
    return source


def _build(plan: Plan, source: InterpreterSource, output: Path) -> Path:
    interpreter = native_interpreter(source, plan) if plan.native else plan.interpreter
    tools = ensure(plan.project, interpreter, CATEGORY)
    base = fill_base.obtain(plan, source, tools)
    if plan.native:
        with step("the program that [tool.program] names"):
            served.require(plan.project, CarriedPython(base.python, base.home.version).python)
    publish.write_manifest(output, {**plan.facts(), **base.facts()})
    sbom.write(output / publish.SBOM, base.sbom(), plan.project, plan.revision.release)
    work = plan.build / "work"
    shutil.rmtree(work, ignore_errors=True)
    bundle = work / plan.project.program
    with step("the project's own code"):
        shutil.copytree(base.bundle, bundle, copy_function=os.link)
        _add_source(plan, bundle / "ProjectSrc")
        _add_scripts(plan, base, bundle / "Script", tools)
        tree = _install(plan, base, bundle, output, tools)
    if plan.native:
        with step("the installed program answers for its release"):
            smoke.check(tree / "bin" / plan.project.program, plan.project, plan.revision)
            release_tree.try_engine(tree, plan.project)
    with step("packing"):
        _finish(plan, bundle, tree)
        _pack(base, bundle, Artefacts(plan, output))
    shutil.rmtree(work)
    return base.folder


def _add_source(plan: Plan, folder: Path) -> None:
    for path in sorted(_sources(plan.project.root)):
        copy = folder / path.relative_to(plan.project.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


def _sources(root: Path) -> set[Path]:
    """Return the files of the project: those that Git tracks, and whatever a build reads."""
    found = {*git.tracked(root), *revision.files(root)}
    return {path for path in found if path.is_file() and not path.is_symlink()}


def _add_scripts(plan: Plan, base: BundleBase, script: Path, tools: Environment) -> None:
    script.mkdir()
    values = {**release_tree.tokens(plan.project), "machine": plan.machine}
    for name in SCRIPTS:
        text = (plan.project.root / FOLDER / name).read_text(encoding="utf-8")
        if name.endswith(".sh"):
            text = render(text, values)
        (script / name).write_text(text, encoding="utf-8", newline="\n")
        (script / name).chmod(0o755 if text.startswith("#!") else 0o644)
    shutil.copyfile(base.installer, script / "installer.zip")
    code = script.parent.with_name("code")
    shutil.copytree(script.with_name("ProjectSrc") / "src", code)
    stamp = f"{plan.project.package}/release.json"
    (code / stamp).write_text(plan.revision.stamp(plan.project.serves), encoding="utf-8")
    packed = script / "program.zip.xz"
    compiler: list[str | Path] = [tools.python, "-I", BYTECODE, code]
    run([*compiler, "--archive", packed, "--add", stamp], env=REPRODUCIBLE)


def _install(plan: Plan, base: BundleBase, bundle: Path, output: Path, tools: Environment) -> Path:
    """Make the release tree that the target will make; return its folder."""
    tree = bundle.with_name("tree")
    home = CarriedPython(tree / "python", base.home.version)
    shutil.copytree(base.python, home.folder, copy_function=os.link)
    make_release = plan.project.root / MAKE_RELEASE
    run([tools.python, "-I", "-B", make_release, "--only", "project", bundle, tree])
    (tree / "bin").mkdir()
    release_tree.add_engine(tree, plan.project, "$tree/python/bin/python3")
    run([tools.python, "-I", "-B", BYTECODE, tree / "host"], env=REPRODUCIBLE)
    launcher = base.launcher(plan)
    for entry in plan.project.entry_points:
        launcher.write_program(tree / "bin", entry)
    facts = base.facts()
    needed = "none" if facts["glibc_carried"] else facts["glibc_floor"]
    # A target copies the whole bundle, and the release takes its Python from that copy.
    others = [bundle / name for name in ("PyPI", "ProjectSrc", "Script")]
    release_tree.lay_out(tree, plan, tools, needed, output, *others)
    return tree


def _finish(plan: Plan, bundle: Path, tree: Path) -> None:
    """Add the tree that the target compares its own with, and the checksums of all files."""
    script = bundle / "Script"
    without = shutil.ignore_patterns("python")
    shutil.copytree(tree, script / "release", ignore=without, copy_function=os.link)
    publish.write_checksums(bundle, script / publish.CHECKSUMS)
    signing.sign(script, plan.settings)
    for folder in (script, bundle / "ProjectSrc"):
        release_tree.normalise(folder, plan.revision.epoch)


def _pack(base: BundleBase, bundle: Path, made: Artefacts) -> None:
    plan, program = made.plan, made.plan.project.program
    members = [
        (f"{program}/{path.relative_to(bundle).as_posix()}", path)
        for name in ("ProjectSrc", "Script")
        for path in [bundle / name, *sorted((bundle / name).rglob("*"))]
    ]
    own = archive.part(members, plan.revision.epoch)
    payload = base.part() + own + archive.end()
    made.archive.write_bytes(payload)
    head = (plan.project.root / FOLDER / "head.sh").read_text(encoding="utf-8")
    made.single.write_bytes(onefile(head, release_tree.tokens(plan.project), payload))
    made.single.chmod(0o755)


def _report(artefacts: Artefacts, seconds: float, *, fresh: bool) -> None:
    plan = artefacts.plan
    rows = {"release": plan.revision.release, "where": plan.where}
    rows |= {path.name: size(path) for path in sorted(plan.dist.iterdir())}
    rows["seconds"] = f"{seconds:.1f}"
    rows["install"] = f"sudo sh {artefacts.single.name}   (there; a plain user's goes to ~/.local)"
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)
