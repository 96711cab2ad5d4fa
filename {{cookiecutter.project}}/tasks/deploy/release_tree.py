"""Lays out a release as machines keep it: the program, the host scripts, what they need to know."""

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from ..environment import Environment
from ..process import run
from ..project import Project
from . import artifact, rank, signing
from .plan import Plan
from .render import render

HOST = Path("deploy/host")
_RENDERED = ".in"  # deploy/host/service.in becomes host/NAME.service; other files are copied
_UNITS = {"service", "socket", "user.service"}  # where systemd.unit(5) gives `%` a meaning


def tokens(project: Project) -> dict[str, str]:
    """Give the `@token@` values that every rendered file of the project may use."""
    return {
        "name": project.program,
        "user": project.user,
        "prefix": project.prefix,
        "package": project.package,
        "description": project.description or project.program,
    }


def lay_out(tree: Path, what: Plan, environment: Environment, glibc: str, published: Path) -> None:
    """Complete a folder that holds `bin/`: manifest, checksums and, for Linux, what hosts need.

    `environment` is any that has `packaging`. The checksums are signed where a key is configured.
    Times, modes and order depend on the revision alone: the same input gives the same bytes.
    """
    shutil.copyfile(published / artifact.MANIFEST, tree / artifact.MANIFEST)
    if what.for_hosts:
        add_host(tree, what, environment, {"machine": what.machine, "glibc": glibc})
    artifact.write_checksums(tree)
    signing.sign(tree, what.settings)
    normalise(tree, what.revision.epoch)


def add_host(tree: Path, what: Plan, environment: Environment, machine: Mapping[str, str]) -> None:
    """Add `host/`: the host scripts, the units, and release.conf, which says all they need to know.

    `machine` says of release.conf what only the kind of build knows.
    """
    host = tree / "host"
    host.mkdir()
    for source in sorted((what.project.root / HOST).iterdir()):
        _add(source, host, what.project)
    _write(host / "release.conf", _conf(tree, what, environment, machine))


def normalise(tree: Path, epoch: int) -> None:
    """Give every file the source date, and the mode 0444, or 0555 where it is executable."""
    for path in [*tree.rglob("*"), tree]:
        if path.is_symlink():
            continue
        executable = path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if path.is_dir() else 0o555 if executable else 0o444)
        os.utime(path, (epoch, epoch))


def _add(source: Path, host: Path, project: Project) -> None:
    text = source.read_text(encoding="utf-8")
    if source.suffix == _RENDERED:
        values = tokens(project)
        if source.stem in _UNITS:
            # `%` begins a specifier, and a backslash at the end would take the next line in.
            line = values["description"].replace("%", "%%")
            values["description"] = f"{line} " if line.endswith("\\") else line
        _write(host / f"{project.program}.{source.stem}", render(text, values))
    else:
        _write(host / source.name, text)
        (host / source.name).chmod(0o755 if text.startswith("#!") else 0o644)


def _conf(tree: Path, what: Plan, environment: Environment, machine: Mapping[str, str]) -> str:
    used = sum(p.stat().st_size // 1024 + 1 for p in tree.rglob("*") if p.is_file())
    facts = {
        "name": what.project.program,
        "version": what.project.version,
        "release": what.revision.release,
        "rank": _rank(environment, what),
        "user": what.project.user,
        "size_kb": used,
        "keep_releases": what.settings.keep_releases,
        "health_seconds": what.settings.health_seconds,
        **machine,
    }
    return "".join(f"{key}={value}\n" for key, value in facts.items())


def _rank(environment: Environment, what: Plan) -> str:
    epoch = str(what.revision.epoch)
    script = Path(rank.__file__)
    return run([environment.python, "-I", script, what.project.version, epoch]).strip()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
