"""Lay out the release tree: the environment, the project's own code, the engine, the checksums."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import bill
from common import KIT, RELEASE, attempt, told
from host.errors import HostError
from host.release import read
from host.tree import faults

SUMS = "SHA256SUMS"


def lay_out(work: Path, tree: Path, python: str, held: Sequence[int]) -> None:
    """Make `tree` from the kit, and from the packages and the source in `work`."""
    try:
        shutil.copytree(RELEASE, tree)
        (work / "packages").rename(tree / "packages")
        shutil.copytree(work / "source/src", tree / "packages", dirs_exist_ok=True, symlinks=True)
        package = tree / "packages" / told("source.json")["package"]
        shutil.copyfile(KIT / "release.json", package / "release.json")
        compiling = [python, "-I", "-S", "-m", "compileall", "-q", "--invalidation-mode"]
        attempt("make the release", [*compiling, "unchecked-hash", package, tree / "host"], held)
        for name, content in _filled_in(python).items():
            (tree / name).write_bytes(content)
        facts = read(tree)
        bill.write(tree, facts.name, facts.release)
        _normalise(tree)
        (tree / SUMS).write_text(_sums(tree), encoding="utf-8", errors="surrogateescape")
    except (OSError, shutil.Error) as error:
        raise HostError(f"could not make the release: {error}") from error


def is_made(tree: Path, python: str) -> bool:
    """Return whether `tree` is an undamaged release of the same kit and the same Python."""
    try:
        same = all((tree / n).read_bytes() == text for n, text in _filled_in(python).items())
    except OSError:
        return False
    return same and not faults(tree)


def _filled_in(python: str) -> dict[str, bytes]:
    """Return the files of the kit's release by name, with the values of this machine filled in."""
    known = {b"%PYTHON%": os.fsencode(python), b"%MACHINE%": os.uname().machine.encode()}
    files = {}
    for path in RELEASE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            name, content = path.relative_to(RELEASE).as_posix(), path.read_bytes()
            if name.startswith("bin/") or name == "host/release.json":
                for token, value in known.items():
                    content = content.replace(token, value)
            files[name] = content
    return files


def _normalise(tree: Path) -> None:
    """Remove all but plain files and folders, and let only their owner write to these."""
    for path in [tree, *tree.rglob("*")]:
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            path.chmod(0o755)
        elif not stat.S_ISREG(mode):
            path.unlink()
        else:
            runs = mode & stat.S_IXUSR or path.parent == tree / "bin"
            path.chmod(0o755 if runs else 0o644)


def _sums(tree: Path) -> str:
    """Return the checksums of a tree, in the form that sha256sum(1) reads."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(tree)))


def _digests(tree: Path) -> Iterator[tuple[str, str]]:
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if name in {SUMS, f"{SUMS}.sig"} or path.is_dir():
            continue
        with path.open("rb") as file:
            yield name, hashlib.file_digest(file, "sha256").hexdigest()
