"""The file operations of a switch: replacements are atomic, and all are durable on return.

A power cut after a call has returned does not lose what the call did, unless the file system is
in memory or mounted without barriers.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_SPARE = ".spare"
_NEW = ".new"


class Disk:
    """The real file system; tests put another one in its place. Every method may raise OSError."""

    def read(self, path: Path) -> bytes | None:
        """Return the content of a file; None if there is no such file."""
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: Path) -> bool:
        """Return whether there is anything at `path`, including a dangling link."""
        return os.path.lexists(path)

    def names(self, folder: Path) -> list[str]:
        """Return the sorted names in a folder; none if it does not exist."""
        try:
            return sorted(path.name for path in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def target(self, link: Path) -> str:
        """Return the target of a symbolic link; empty if there is no such link."""
        try:
            return str(link.readlink())
        except OSError:
            return ""

    def folder(self, path: Path, mode: int) -> None:
        """Make a folder if it is missing, and set its mode."""
        made = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for each in made:
            _sync_folder(each.parent)
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)

    def reserve(self, path: Path, size: int) -> None:
        """Reserve space, so that the next `write` to `path` succeeds even on a full disk."""
        spare = path.with_name(path.name + _SPARE)
        if self.exists(spare):
            return
        try:
            with spare.open("xb") as file:
                _write(file, b" " * size)
        except OSError:
            spare.unlink(missing_ok=True)
            raise

    def write(self, path: Path, content: bytes, mode: int) -> None:
        """Replace a file's whole content, in the space that `reserve` has set aside."""
        new = path.with_name(path.name + _NEW)
        with suppress(FileNotFoundError):
            path.with_name(path.name + _SPARE).replace(new)
        with _named(new), new.open("r+b" if new.exists() else "xb") as file:
            os.fchmod(file.fileno(), mode)
            _write(file, content)
            file.truncate()
            os.fsync(file.fileno())
        self.rename(new, path)

    def append(self, path: Path, line: bytes) -> None:
        """Append a line to a file; create the file if it is missing."""
        opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(opened, "r+b") as file:
            # A power cut may have left half a line.
            torn = file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read() != b"\n"
            _write(file, b"\n" + line if torn else line)

    def point(self, link: Path, target: str) -> None:
        """Create or replace a symbolic link atomically."""
        new = link.with_name(link.name + _NEW)
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        self.rename(new, link)

    def duplicate(self, path: Path, copy: Path) -> None:
        """Keep a file under a second name, where it outlives a replacement of the first."""
        with suppress(OSError):
            os.link(path, copy, follow_symlinks=False)
            _sync_folder(copy.parent)
            return
        shutil.copy2(path, copy)
        found = path.stat()
        os.chown(copy, found.st_uid, found.st_gid)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        _sync_folder(copy.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file, link or folder; a file or link at `new` is replaced."""
        old.rename(new)
        _sync_folder(new.parent)
        if old.parent != new.parent:
            _sync_folder(old.parent)

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a whole folder; do nothing if it does not exist."""
        if not self.exists(path):
            return
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            _sync_folder(path.parent)

    def sync(self) -> None:
        """Flush all pending writes, such as those of a copied tree, to the disk."""
        os.sync()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name `path` in an error that names no file, such as that of a write to a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_tree(path: Path) -> None:
    # A release tree may have read-only folders. Change their mode by descriptor, because their
    # owner may replace one with a link meanwhile.
    for _, _, _, folder in os.fwalk(path):
        with suppress(OSError):
            os.fchmod(folder, 0o700)
    shutil.rmtree(path)
