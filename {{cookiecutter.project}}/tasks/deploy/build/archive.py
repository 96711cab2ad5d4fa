"""Writes tar and zip archives whose bytes depend on their contents alone."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

Members = Iterable[tuple[str, Path]]
"""Names in an archive, and the files and folders that they stand for."""
_LEVEL = 6  # 9 takes four times as long and saves less than one byte in a hundred


def tarball(members: Members, epoch: int) -> bytes:
    """Return an archive of the members, each dated `epoch` (seconds since 1970) and root's."""
    return part(members, epoch) + end()


def part(members: Members, epoch: int) -> bytes:
    """Return a part of an archive; any number of parts, followed by `end()`, is an archive.

    A gzip file may have several members (RFC 1952, 2.2), so parts can be kept and joined
    without compressing them again.
    """

    def fixed(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = epoch
        return member

    buffer = io.BytesIO()
    tar = tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
    for name, path in members:
        tar.add(path, name, recursive=False, filter=fixed)
    # Not closed: that would write the end of the archive.
    return gzip.compress(buffer.getvalue(), _LEVEL, mtime=0)


def end() -> bytes:
    """Return what an archive ends with, two empty blocks."""
    return gzip.compress(bytes(2 * tarfile.BLOCKSIZE), mtime=0)


def zipped(members: Members, path: Path) -> None:
    """Write a zip archive of the files among the members, not compressed, dated 1980-01-01."""
    with zipfile.ZipFile(path, "w") as files:
        for name, member in members:
            if member.is_file():
                files.writestr(zipfile.ZipInfo(name), member.read_bytes())


def below(folder: Path, prefix: str = "") -> Members:
    """Return everything in a folder as members, in a fixed order."""
    return [(f"{prefix}{p.relative_to(folder).as_posix()}", p) for p in sorted(folder.rglob("*"))]
