"""Writes an APT repository by apt-ftparchive(1), for Debian and its descendants."""

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path

from ...deploy.build.openpgp import Signer
from ...lib.console import TaskError
from ...lib.process import run

SUFFIX = ".deb"
CLIENT = "sources"
SUITE, COMPONENT = "stable", "main"
_TOOL = "apt-ftparchive"


def require() -> None:
    """Raise `TaskError` where the tool is missing."""
    if not shutil.which(_TOOL):
        raise TaskError(f"an APT repository needs {_TOOL}: install apt-utils, or give --only yum")


def write(
    folder: Path, name: str, packages: Mapping[str, Path], signer: Signer | None, url: str
) -> str:
    """Write a repository, and return the file by which apt knows it (sources.list(5))."""
    pool, suite = folder / "pool", folder / "dists" / SUITE
    pool.mkdir(parents=True)
    for file, path in packages.items():
        shutil.copyfile(path, pool / file)
    architectures = sorted({file.removesuffix(SUFFIX).rpartition("_")[2] for file in packages})
    for architecture in architectures:
        _list(folder, suite / COMPONENT / f"binary-{architecture}", architecture)
    release = suite / "Release"
    said = {"Origin": name, "Label": name, "Suite": SUITE, "Codename": SUITE,
            "Architectures": " ".join(architectures), "Components": COMPONENT}  # fmt: skip
    options = [f"APT::FTPArchive::Release::{key}={value}" for key, value in said.items()]
    options = [argument for option in options for argument in ("-o", option)]
    release.write_text(_run(folder, *options, "release", f"dists/{SUITE}"), encoding="utf-8")
    if signer:
        signer.clear(release, suite / "InRelease")
        signer.detached(release, suite / "Release.gpg")
    trust = f"Signed-By: /etc/apt/keyrings/{name}.asc" if signer else "Trusted: yes"
    lines = ("Types: deb", f"URIs: {url}", f"Suites: {SUITE}", f"Components: {COMPONENT}", trust)
    return "".join(f"{line}\n" for line in lines)


def _list(folder: Path, into: Path, architecture: str) -> None:
    listed = _run(folder, "--arch", architecture, "packages", "pool")
    into.mkdir(parents=True)
    (into / "Packages").write_text(listed, encoding="utf-8")
    (into / "Packages.gz").write_bytes(gzip.compress(listed.encode(), mtime=0))


def _run(folder: Path, *arguments: str | Path) -> str:
    return run([_TOOL, *arguments], cwd=folder)
