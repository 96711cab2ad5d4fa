"""Lays out a release as machines keep it: the program, the host scripts, what they need to know."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..project import Project
from ..revision import Revision
from . import artifact

HOST = Path("deploy/host")
_RENDERED = ".in"  # deploy/host/service.in becomes host/NAME.service; other files are copied
_UNITS = {"service", "socket"}  # where systemd.unit(5) gives `%` a meaning


@dataclass(frozen=True)
class Target:
    """What a machine must be and do to run the release."""

    machine: str
    """As `uname -m` says it."""
    glibc: str
    keep_releases: int
    health_seconds: int


def tokens(project: Project) -> dict[str, str]:
    """Give the `@token@` values that every rendered file of the project may use."""
    return {
        "name": project.program,
        "user": project.user,
        "prefix": project.prefix,
        "package": project.package,
        "description": project.description or project.program,
    }


def render(text: str, values: Mapping[str, str]) -> str:
    """Replace each `@token@` that has a value; what stands in a value is never replaced again."""
    return re.sub(r"@(\w+)@", lambda found: values.get(found[1], found[0]), text)


def lay_out(tree: Path, project: Project, revision: Revision, target: Target) -> None:
    """Complete a folder that holds `bin/`: host scripts, units, release.conf, checksums.

    Times, modes and order depend on the revision alone: the same input gives the same bytes.
    """
    host = tree / "host"
    host.mkdir()
    for source in sorted((project.root / HOST).iterdir()):
        text = source.read_text(encoding="utf-8")
        if source.suffix == _RENDERED:
            rendered = render(text, _values(project, source))
            _write(host / f"{project.program}.{source.stem}", rendered)
        else:
            _write(host / source.name, text)
            (host / source.name).chmod(0o755 if text.startswith("#!") else 0o644)
    _write(host / "release.conf", _conf(tree, project, revision, target))
    artifact.write_checksums(tree)
    normalise(tree, revision.epoch)


def normalise(tree: Path, epoch: int) -> None:
    """Give every file the source date, and the mode 0444, or 0555 where it is executable."""
    for path in [*tree.rglob("*"), tree]:
        if path.is_symlink():
            continue
        executable = path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if path.is_dir() else 0o555 if executable else 0o444)
        os.utime(path, (epoch, epoch))


def _values(project: Project, source: Path) -> dict[str, str]:
    values = tokens(project)
    if source.stem in _UNITS:
        values["description"] = values["description"].replace("%", "%%")
    return values


def _conf(tree: Path, project: Project, revision: Revision, target: Target) -> str:
    used = sum(p.stat().st_size // 1024 + 1 for p in tree.rglob("*") if p.is_file())
    facts = {
        "name": project.program,
        "version": revision.version,
        "release": revision.release,
        "user": project.user,
        "machine": target.machine,
        "glibc": target.glibc,
        "size_kb": used,
        "keep_releases": target.keep_releases,
        "health_seconds": target.health_seconds,
    }
    return "".join(f"{key}={value}\n" for key, value in facts.items())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
