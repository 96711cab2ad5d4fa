"""Copy an untrusted tree, and compare a tree with its checksums.

A tree is copied before it is checked, so that what was checked is what is used. No link is
followed, and only plain files and folders are copied.
"""

import hashlib
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from .errors import HostError, one_line, printable
from .release import SUMS, content

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_EXECUTABLE = re.compile(r"(.*/)?bin/[^/]+|(.*/)?ld-[^/]*\.so[^/]*|(.*/)?[^/]+\.sh")
_LINKABLE = stat.S_IWGRP | stat.S_IWOTH


def copy(
    source: Path, target: Path, *, link: bool = False, leave: frozenset[str] = frozenset()
) -> None:
    """Copy the folder `source` to `target`, which must not exist; the caller owns the copy.

    With `link`, hard-link the files that only the caller can change, if possible. Leave out the
    top-level names in `leave`. Raises HostError that names an entry that is neither a file nor a
    folder, and OSError if the copy cannot be written.
    """
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise HostError(f"'{source}' is not a folder that can be read") from error
    try:
        target.mkdir(mode=0o755)
        _copy_folder(descriptor, "", target, link=link, leave=leave)
    finally:
        os.close(descriptor)


def _copy_folder(
    folder: int, above: str, target: Path, *, link: bool, leave: frozenset[str]
) -> None:
    for name in sorted(os.listdir(folder)):
        path = f"{above}{name}"
        if path in leave:
            continue
        _require_plain_name(path)
        kind = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                (target / name).mkdir(mode=0o755)
                _copy_folder(inner, f"{path}/", target / name, link=link, leave=frozenset())
            finally:
                os.close(inner)
        elif stat.S_ISREG(kind):
            _copy_file(folder, name, path, target / name, link=link)
        else:
            raise HostError(f"{path} is neither a file nor a folder")


def _copy_file(folder: int, name: str, path: str, target: Path, *, link: bool) -> None:
    # Do not block if a pipe has replaced the file since os.stat().
    opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(opened, "rb") as source:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise HostError(f"{path} is neither a file nor a folder")
        if link and found.st_uid == os.geteuid() and not found.st_mode & _LINKABLE:
            try:
                os.link(name, target, src_dir_fd=folder, follow_symlinks=False)
            except OSError:  # another file system, or too many links
                pass
            else:
                return
        executable = found.st_mode & stat.S_IXUSR or _EXECUTABLE.fullmatch(path)
        with target.open("xb") as written:
            shutil.copyfileobj(source, written, 1 << 20)
            os.fchmod(written.fileno(), 0o555 if executable else 0o444)


def _require_plain_name(path: str) -> None:
    try:
        printable = all(unicodedata.category(c)[0] != "C" for c in path)
    except ValueError:
        printable = False
    if not printable or "\\" in path:
        raise HostError(f"the name '{one_line(path)}' has a control character or backslash in it")


def faults(tree: Path, sums: Path | None = None) -> list[str]:
    """Return a line for each file that is changed, missing, not listed, or no plain file.

    `sums` is the file with the checksums, if it is not the tree's own.
    """
    listing = sums or tree / SUMS
    outside = {listing.relative_to(tree).as_posix(), f"{listing.relative_to(tree).as_posix()}.sig"}
    try:
        listed = dict(_listed(listing))
    except (OSError, UnicodeDecodeError):
        return [f"missing: {listing.relative_to(tree)}"]
    except ValueError as error:
        return [f"not a checksum: {one_line(str(error))}"]
    if not listed:
        return [f"missing: {listing.relative_to(tree)}"]
    found = {path: is_plain for path, is_plain in _walk(tree, "") if path not in outside}
    plain = {path for path, is_plain in found.items() if is_plain}
    lines = [f"missing: {path}" for path in sorted(listed.keys() - found)]
    lines += [f"neither a file nor a folder: {printable(p)}" for p in sorted(found.keys() - plain)]
    lines += [f"not listed in SHA256SUMS: {printable(p)}" for p in sorted(plain - listed.keys())]
    same = sorted(listed.keys() & plain)
    return lines + [f"changed: {path}" for path in same if _digest(tree / path) != listed[path]]


def require_whole(tree: Path, shown: Path | str, sums: Path | None = None) -> None:
    """Raise HostError unless a tree matches its checksums; `shown` names it in the message."""
    if wrong := faults(tree, sums):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise HostError(f"{shown} is not whole, nothing was installed: {wrong[0]}{more}")


def _listed(listing: Path) -> Iterator[tuple[str, str]]:
    text = content(listing)
    if text is None:
        raise FileNotFoundError(listing)
    for line in text.decode().split("\n"):
        if line:
            found = _LINE.fullmatch(line)
            if not found:
                raise ValueError(line)
            yield found[2], found[1]


def _walk(folder: Path, above: str) -> Iterator[tuple[str, bool]]:
    """Yield the path of everything that is not a folder, and whether it is a plain file."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            path = f"{above}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{path}/")
            else:
                yield path, entry.is_file(follow_symlinks=False)


def _digest(path: Path) -> str:
    """Return the SHA-256 of a plain file; empty for anything else."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return ""
        return hashlib.file_digest(file, "sha256").hexdigest()
