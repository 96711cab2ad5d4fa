"""Lays out a release as hosts keep it: the program, the engine, the units, release.json."""

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...lib.console import TaskError
from ...lib.environment import Environment
from ...lib.process import run
from ...lib.project import Project
from . import SCRIPTS, command_help, publish, signing
from .plan import Plan
from .render import render

ENGINE = Path("deploy/host")
HAND_OVER = ENGINE / "hand-over.sh"
_LAUNCHER = ENGINE / "launcher.sh"
_UNIT_FILES = Path("deploy/units")  # service.in becomes host/NAME.service
_UNITS = {"service", "socket", "user.service"}  # where systemd.unit(5) gives `%` a meaning

_MORE_KB = 1024
"""Room for what is not there yet: the checksums, and what the engine writes."""


def tokens(project: Project) -> dict[str, str]:
    """Return the `@token@` values that every rendered file of the project may use."""
    return {
        "name": project.program,
        "user": project.user,
        "prefix": project.prefix,
        "package": project.package,
        "module": project.command.module,
        "function": project.command.function,
        "function_root": project.command.function.partition(".")[0],
        "description": project.description or project.program,
    }


def lay_out(
    tree: Path, plan: Plan, environment: Environment, glibc: str, published: Path, *beside: Path
) -> None:
    """Complete a folder that holds `bin/`: what is `published` of it, checksums, what hosts need.

    `environment` must have `packaging`. `beside` are folders whose files need room too while the
    release is installed. The checksums are signed where a key is configured. Times, modes and order
    depend on the revision alone: the same input gives the same bytes.
    """
    for name in (publish.MANIFEST, publish.SBOM):
        shutil.copyfile(published / name, tree / name)
    if plan.for_hosts:
        more = {"machine": plan.machine, "glibc": glibc}
        add_host(tree, plan, environment, more, *beside)
    publish.write_checksums(tree)
    signing.sign(tree, plan.settings)
    normalise(tree, plan.revision.epoch)


def add_host(
    tree: Path, plan: Plan, environment: Environment, more: Mapping[str, str], *beside: Path
) -> None:
    """Add `host/`: the units, and release.json, which says all that the engine needs to know.

    A command also gets its completions and its man page, in `share/`. `more` are the facts in
    release.json that only this kind of build knows. `beside` is as in `lay_out`.
    """
    host = tree / "host"
    host.mkdir(exist_ok=True)
    for source in _unit_files(plan.project):
        _add(source, host, plan.project)
    shutil.copyfile(plan.project.root / HAND_OVER, host / HAND_OVER.name)
    if plan.project.kind == "cli":
        command_help.add(tree, plan)
    size = sum(_kilobytes(folder) for folder in (tree, *beside)) + _MORE_KB
    facts = {**_facts(plan, environment), "size_kb": size, **more}
    _write(host / "release.json", json.dumps(facts, indent=2) + "\n")


def add_engine(tree: Path, project: Project, python: str) -> None:
    """Add the engine as a Python package, and the launcher that runs it on the release's Python.

    `python` is the command that the launcher starts; `$tree` in it stands for the release tree.
    Where the interpreter is in the tree, the caller compiles the package.
    """
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.sh")
    shutil.copytree(project.root / ENGINE, tree / "host", ignore=ignored, dirs_exist_ok=True)
    text = (project.root / _LAUNCHER).read_text(encoding="utf-8")
    launcher = tree / "bin" / admin(project)
    _write(launcher, render(text, {"name": project.program, "python": python}))
    launcher.chmod(0o755)


def admin(project: Project) -> str:
    """Return the name of the engine's command."""
    return f"{project.program}-admin"


def try_engine(tree: Path, project: Project) -> None:
    """Run the engine of a release tree; raise `TaskError` where it does not run."""
    run([tree / "bin" / admin(project), "--help"])


def normalise(tree: Path, epoch: int) -> None:
    """Set the date of every file to the source date, its mode to 0444 or 0555."""
    for path in [*tree.rglob("*"), tree]:
        if path.is_symlink():
            continue
        executable = path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if path.is_dir() else 0o555 if executable else 0o444)
        os.utime(path, (epoch, epoch))


def _add(source: Path, host: Path, project: Project) -> None:
    values = tokens(project)
    if source.stem in _UNITS:
        # `%` begins a specifier, and a backslash at the end would join the next line.
        line = values["description"].replace("%", "%%")
        values["description"] = f"{line} " if line.endswith("\\") else line
    text = source.read_text(encoding="utf-8")
    _write(host / f"{project.program}.{source.stem}", render(text, values))


def _unit_files(project: Project) -> list[Path]:
    """Return the project's unit files; a command has none.

    Raises `TaskError` where the unit of a service or a worker is missing.
    """
    folder = project.root / _UNIT_FILES
    if project.kind != "cli" and not (folder / "service.in").is_file():
        raise TaskError(f"a {project.kind} needs {_UNIT_FILES}/service.in")
    return sorted(folder.glob("*.in"))


def _kilobytes(folder: Path) -> int:
    """Return the room that the files take on a disk with blocks of 4 kB."""
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(-(-size // 4096) * 4 for size in sizes)


def _facts(plan: Plan, environment: Environment) -> dict[str, Any]:
    settings = plan.settings
    return {
        "name": plan.project.program,
        "version": plan.project.version,
        "release": plan.revision.release,
        "rank": _rank(environment, plan),
        "user": plan.project.user,
        "keep_releases": settings.keep_releases,
        "health_seconds": settings.health_seconds,
        "trial_seconds": settings.trial_seconds,
        "overlap": settings.overlap,
        "answers_callers": plan.project.answers_callers,
        "before_switch_seconds": settings.before_switch_seconds * plan.project.prepares_data,
        "kind": plan.project.kind,
    }


def _rank(environment: Environment, plan: Plan) -> str:
    epoch = str(plan.revision.epoch)
    script = SCRIPTS / "release_rank.py"
    return run([environment.python, "-I", script, plan.project.version, epoch]).strip()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
