"""The file operations that a switch rests on: each one whole, and durable when it returns.

A power cut after a call has returned leaves what the call did. Where a file system is mounted
without barriers, or is one in memory, nothing can promise that.
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
        """Return the content of a file; None where there is no such file."""
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: Path) -> bool:
        """Return whether there is anything at `path`, a dangling link too."""
        return os.path.lexists(path)

    def names(self, folder: Path) -> list[str]:
        """Return the sorted names in a folder; none where it does not exist."""
        try:
            return sorted(path.name for path in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def target(self, link: Path) -> str:
        """Return what a symbolic link names; empty where there is no such link."""
        try:
            return str(link.readlink())
        except OSError:
            return ""

    def folder(self, path: Path, mode: int) -> None:
        """Make a folder, and give it that mode also where it exists."""
        made = [each for each in (path, *path.parents) if not each.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for each in made:
            _sync_folder(each.parent)
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)

    def reserve(self, path: Path, size: int) -> None:
        """Set room aside, so that the next `write` to `path` succeeds on a full disk, too."""
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
        """Replace a file's whole content; it takes the room that `reserve` has set aside."""
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
        """Add a line to a file, which is made where there is none."""
        opened = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(opened, "r+b") as file:
            # A power cut may have left half a line.
            torn = file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read() != b"\n"
            _write(file, b"\n" + line if torn else line)

    def point(self, link: Path, target: str) -> None:
        """Make a symbolic link, or let it name something else, in one step."""
        new = link.with_name(link.name + _NEW)
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        self.rename(new, link)

    def duplicate(self, path: Path, copy: Path) -> None:
        """Keep a file under a second name, which survives that the first one is replaced."""
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
        """Remove a file, a link or a whole folder; no harm is done where there is none."""
        if not self.exists(path):
            return
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            _sync_folder(path.parent)

    def sync(self) -> None:
        """Write everything that is on its way to the disk, such as a copied tree."""
        os.sync()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an error say which file it is about; one of writing, as of a full disk, does not."""
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
    # Folders of a release tree may have lost the right to write. They are opened first, since their
    # owner may put a link to elsewhere in their place meanwhile.
    for _, _, _, folder in os.fwalk(path):
        with suppress(OSError):
            os.fchmod(folder, 0o700)
    shutil.rmtree(path)
