"""Builds a bundle, tries what it installs, and publishes it."""

import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

from ...lib import revision
from ...lib.console import closing, size, step
from ...lib.environment import Environment, ensure
from ...lib.process import run
from ..build import archive, publish, release_tree, sbom, signing, smoke
from ..build.plan import Plan, here, published, record
from ..build.render import render
from ..build.self_extracting import onefile
from .bundle_base import Base
from .carried_python import Home
from .fill_base import BYTECODE, MAKE_RELEASE, make
from .interpreter_source import Source, choose, native_interpreter
from .launcher import FOLDER
from .relocate import require_tools

QUADRANT = "offline-source"
CATEGORY = "bundle"
SCRIPTS = (
    "install.sh", "run.sh", "verify.sh", "rollback.sh", "uninstall.sh", "start.sh",
    "engine.py", "run.py", "make_release.py", "temporary.py",
)  # fmt: skip


def describe(what: Plan) -> None:
    """Say what a build would do; raises `TaskError` for what it would refuse before it begins."""
    source = _source(what, fetch=False)
    rows = {
        "release": what.revision.release,
        "python": f"{source.version} ({source.kind})",
        "platform": what.system,
        "makes": f"{what.stem}.run, {what.stem}.tar.gz",
        "where": _shown(what),
        "state": "unchanged, nothing to do" if _published(what, source) else "to be built",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)


def build(what: Plan) -> None:
    """Build, try and publish the bundle, unless it is there and unchanged.

    Raises `TaskError` where any step fails; what was published before is whole then.
    """
    start = time.monotonic()
    with publish.exclusive(what.project.build):
        source = _source(what, fetch=True)
        fresh = not _published(what, source)
        if fresh:
            with publish.staging(what.target) as output:
                kept = _fill(what, source, output)
            record(what, kept.folder.name)
    _report(what, time.monotonic() - start, fresh=fresh)


def _source(what: Plan, *, fetch: bool) -> Source:
    source = choose(what, native=_native(what), fetch=fetch)
    if not source.standalone:
        require_tools()
    return source


def _native(what: Plan) -> bool:
    return what.system == here()


def _published(what: Plan, source: Source) -> bool:
    def is_current(name: str) -> bool:
        kept = Base(what.rooms / name)
        return kept.is_current() and source.facts().items() <= kept.facts().items()

    return published(what, is_current)


def _fill(what: Plan, source: Source, output: Path) -> Base:
    native = _native(what)
    interpreter = native_interpreter(source, what) if native else what.interpreter
    tools = ensure(what.project, interpreter, CATEGORY)
    kept = make(what, source, tools, native=native)
    publish.write_manifest(output, {**what.facts(), **kept.facts()})
    sbom.write(output / publish.SBOM, kept.sbom(), what.project, what.revision.release)
    work = what.rooms / "work"
    shutil.rmtree(work, ignore_errors=True)
    bundle = work / what.project.program
    with step("the project's own code"):
        shutil.copytree(kept.bundle, bundle, copy_function=os.link)
        _add_source(what, bundle / "ProjectSrc")
        _add_scripts(what, kept, bundle / "Script", tools)
        tree = _install(what, kept, bundle, output, tools)
    if native:
        with step("the installed program answers for its release"):
            smoke.check(tree / "bin" / what.project.program, what.project, what.revision)
            release_tree.try_engine(tree, what.project)
    with step("packing"):
        _finish(what, bundle, tree)
        _pack(what, kept, bundle, output)
    publish.write_checksums(output)
    signing.sign(output, what.settings)
    release_tree.normalise(output, what.revision.epoch)
    shutil.rmtree(work)
    return kept


def _add_source(what: Plan, target: Path) -> None:
    for path in sorted(_sources(what.project.root)):
        copy = target / path.relative_to(what.project.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


def _sources(root: Path) -> set[Path]:
    """Give the files of the project: those that Git tracks, and whatever a build reads."""
    git = shutil.which("git")
    command = [git or "git", "-C", str(root), "ls-files", "-z", "--cached"]
    listed = subprocess.run(command, capture_output=True, check=False).stdout if git else b""
    tracked = (root / os.fsdecode(name) for name in listed.split(b"\0") if name)
    return {path for path in tracked if path.is_file() and not path.is_symlink()} | {
        path for path in revision.files(root) if not path.is_symlink()
    }


def _add_scripts(what: Plan, kept: Base, script: Path, tools: Environment) -> None:
    script.mkdir()
    values = release_tree.tokens(what.project)
    for name in SCRIPTS:
        text = (what.project.root / FOLDER / name).read_text(encoding="utf-8")
        if name.endswith(".sh"):
            text = render(text, values)
        (script / name).write_text(text, encoding="utf-8", newline="\n")
        (script / name).chmod(0o755 if text.startswith("#!") else 0o644)
    shutil.copyfile(kept.installer, script / "installer.zip")
    code = script.parent.with_name("code")
    shutil.copytree(script.with_name("ProjectSrc") / "src", code)
    stamp = f"{what.project.package}/release.json"
    (code / stamp).write_text(what.revision.stamp(), encoding="utf-8")
    packed = script / "program.zip.xz"
    compiler: list[str | Path] = [tools.python, "-I", BYTECODE, code]
    run([*compiler, "--archive", packed, "--add", stamp], env={"PYTHONHASHSEED": "1"})


def _install(what: Plan, kept: Base, bundle: Path, output: Path, tools: Environment) -> Path:
    """Make the release tree that the target will make; gives its folder."""
    tree = bundle.with_name("tree")
    home = Home(tree / "python", kept.home.version)
    shutil.copytree(kept.python, home.folder, copy_function=os.link)
    make_release = what.project.root / MAKE_RELEASE
    run([tools.python, "-I", "-B", make_release, "--only", "project", bundle, tree])
    (tree / "bin").mkdir()
    release_tree.add_engine(tree, what.project, "$tree/python/bin/python3")
    run([tools.python, "-I", "-B", BYTECODE, tree / "host"], env={"PYTHONHASHSEED": "1"})
    launcher = kept.launcher(what)
    for name, entry in _commands(what.project.root).items():
        launcher.write_program(tree / "bin" / name, entry)
    facts = kept.facts()
    needed = "none" if facts["glibc_carried"] else facts["glibc_floor"]
    release_tree.lay_out(tree, what, tools, needed, output)
    return tree


def _commands(root: Path) -> dict[str, str]:
    metadata = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(metadata["project"]["scripts"])


def _finish(what: Plan, bundle: Path, tree: Path) -> None:
    """Add what the target compares its tree with, and the checksums of all that is carried."""
    script = bundle / "Script"
    without = shutil.ignore_patterns("python")
    shutil.copytree(tree, script / "release", ignore=without, copy_function=os.link)
    publish.write_checksums(bundle, script / publish.CHECKSUMS)
    signing.sign(script, what.settings)
    for folder in (script, bundle / "ProjectSrc"):
        release_tree.normalise(folder, what.revision.epoch)


def _pack(what: Plan, kept: Base, bundle: Path, output: Path) -> None:
    program = what.project.program
    members = [
        (f"{program}/{path.relative_to(bundle).as_posix()}", path)
        for name in ("ProjectSrc", "Script")
        for path in [bundle / name, *sorted((bundle / name).rglob("*"))]
    ]
    own = archive.part(members, what.revision.epoch)
    payload = kept.part() + own + archive.end()
    (output / f"{what.stem}.tar.gz").write_bytes(payload)
    head = (what.project.root / FOLDER / "head.sh").read_text(encoding="utf-8")
    single = output / f"{what.stem}.run"
    single.write_bytes(onefile(head, release_tree.tokens(what.project), payload))
    single.chmod(0o755)


def _report(what: Plan, seconds: float, *, fresh: bool) -> None:
    rows = {"release": what.revision.release, "where": _shown(what)}
    rows |= {path.name: size(path) for path in sorted(what.target.iterdir())}
    rows["seconds"] = f"{seconds:.1f}"
    rows["install"] = f"sudo sh {what.stem}.run   (there; a plain user's goes to ~/.local)"
    closing(f"deploy.{QUADRANT}: {'built' if fresh else 'unchanged, nothing to do'}", rows)


def _shown(what: Plan) -> str:
    return f"{what.target.relative_to(what.project.root).as_posix()}/"
