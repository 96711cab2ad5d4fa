"""Packs a release tree: archive, .deb and .rpm, the same bytes for the same tree."""

import gzip
import io
import json
import re
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..environment import Environment
from ..process import run
from ..project import Project
from ..revision import Revision
from .program import FOLDER
from .release_tree import Target, render, tokens

MAINTAINER_SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as nfpm names them
_GZIP_LEVEL = 6


@dataclass(frozen=True)
class Packing:
    """Everything that the packers need to know; `work` takes what they write by the way."""

    project: Project
    environment: Environment
    revision: Revision
    target: Target
    tree: Path
    work: Path
    output: Path


def pack(packing: Packing, *, packages: bool) -> None:
    """Write the archive and, where wanted, the packages, side by side."""
    packers = (archive, deb, rpm) if packages else (archive,)
    if packages:
        _prepare(packing)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(packer, packing) for packer in packers]:
            done.result()


def archive(packing: Packing) -> None:
    """Write the tree as `.tar.gz`, with the installer for machines without a package manager."""
    project = packing.project
    stem = f"{project.program}-{project.version}-linux-{packing.target.machine}"
    installer = project.root / FOLDER / "install"
    content = tarball(packing.tree, f"{stem}/", packing.revision.epoch, installer)
    (packing.output / f"{stem}.tar.gz").write_bytes(content)


def tarball(tree: Path, prefix: str, epoch: int, *more: Path) -> bytes:
    """Give a gzip tar of a tree, and of some files besides: the same bytes for the same content."""
    members = [(path, path.relative_to(tree).as_posix()) for path in sorted(tree.rglob("*"))]
    members += [(path, path.name) for path in more]

    def fixed(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        return member

    buffer = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", _GZIP_LEVEL, buffer, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path, name in members:
            tar.add(path, prefix + name, recursive=False, filter=fixed)
    return buffer.getvalue()


def deb(packing: Packing) -> None:
    """Write the `.deb`."""
    version = _package_version(packing.revision.version)
    architecture = _ARCHITECTURES.get(packing.target.machine, packing.target.machine)
    name = f"{packing.project.program}_{version}_{architecture}.deb"
    _nfpm(packing, "deb", packing.output / name)


def rpm(packing: Packing) -> None:
    """Write the `.rpm`."""
    version = _package_version(packing.revision.version)
    name = f"{packing.project.program}-{version}-1.{packing.target.machine}.rpm"
    _nfpm(packing, "rpm", packing.output / name)


def _prepare(packing: Packing) -> None:
    project, target = packing.project, packing.target
    source = project.root / FOLDER
    host = packing.tree / "host"
    preflight = (host / "preflight").read_text(encoding="utf-8")
    conf = (host / "release.conf").read_text(encoding="utf-8")
    facts = dict(line.split("=", 1) for line in conf.splitlines())
    values = tokens(project) | facts
    for name in MAINTAINER_SCRIPTS:
        text = (source / f"{name}.in").read_text(encoding="utf-8")
        script = packing.work / name
        script.write_text(render(text, values).replace("@preflight@\n", preflight), newline="\n")
    quoted = {
        "maintainer": json.dumps(f"{project.author} <{project.email}>", ensure_ascii=False),
        "description": json.dumps(values["description"], ensure_ascii=False),
        "license": json.dumps(project.license),
        "version": _package_version(project.version),
        "architecture": _ARCHITECTURES.get(target.machine, target.machine),
        "root": str(project.root),
        "tree": str(packing.tree),
        "work": str(packing.work),
    }
    text = (source / "nfpm.yaml.in").read_text(encoding="utf-8")
    config = packing.work / "nfpm.yaml"
    config.write_text(render(text, values | quoted), encoding="utf-8")


def _nfpm(packing: Packing, packager: str, path: Path) -> None:
    nfpm = packing.environment.command("nfpm")
    config = packing.work / "nfpm.yaml"
    run(
        [nfpm, "package", "--config", config, "--packager", packager, "--target", path],
        env={"SOURCE_DATE_EPOCH": str(packing.revision.epoch)},
    )


def _package_version(version: str) -> str:
    """Turn a Python version into one that dpkg and rpm sort alike: `1.0rc1` is `1.0~rc1` there."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)", r"~\1\2", version)
