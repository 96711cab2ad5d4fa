"""Publishes artefacts: all of them or none, with checksums and a manifest."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...lib import files
from ...lib.console import TaskError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

CHECKSUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
MANIFEST = "manifest.json"
SBOM = "sbom.cdx.json"
PROVENANCE = "provenance.intoto.json"
_PARTS = {
    "artefacts": (MANIFEST, SBOM),
    "release": (MANIFEST, PROVENANCE),
    "repository": (MANIFEST,),
}
"""What a published folder must have besides its checksums, by what its manifest says it holds."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder against a second build; say so and wait while another one runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("another build is running here: waiting for it", flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces `folder` when the block ends without an exception.

    An exception or a kill at any moment leaves the old contents of `folder`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    restore(folder)
    for left in folder.parent.glob(f".{folder.name}.*"):
        files.remove(left)
    work = _beside(folder, "new")
    work.mkdir()
    try:
        yield work
        _replace(work, folder)
    finally:
        files.remove(work, ignore_errors=True)


def restore(folder: Path) -> None:
    """Put back a folder that a killed run was about to replace."""
    old = _beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)


def write_checksums(folder: Path, file: Path | None = None) -> None:
    """Write the checksums of every file in `folder`, in the form that sha256sum(1) reads.

    They go to `file`, or to the folder's own `SHA256SUMS`.
    """
    lines = [f"{sha256(folder / name)}  {name}\n" for name in names(folder)]
    (file or folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8", newline="\n")


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write what was built from what, as `manifest.json`."""
    text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a folder's manifest; an empty one if there is none that can be read."""
    try:
        return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def verify(path: Path) -> list[str]:
    """Check a published folder, or one artefact in it, against the `SHA256SUMS` there.

    Returns one line for each problem. Raises `TaskError` if there is nothing to check.
    """
    if not path.exists():
        raise TaskError(f"there is no {path}")
    folder = path if path.is_dir() else path.parent
    expected = _expected(folder)
    asked = sorted(expected) if path.is_dir() else [path.name]
    wrong = [problem for name in asked if (problem := _problem(folder, name, expected))]
    if path.is_dir():
        wrong += [f"{name}: not in {CHECKSUMS}" for name in names(folder) if name not in expected]
        parts = _PARTS.get(read_manifest(folder).get("holds", ""), _PARTS["artefacts"])
        missing = [name for name in parts if name not in expected]
        wrong += [f"{name}: missing" for name in missing]
    return wrong


def sha256(path: Path) -> str:
    """Return a file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def names(folder: Path) -> list[str]:
    """Return the names of all published files in a folder but its own checksums and signature."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in found if name not in (CHECKSUMS, SIGNATURE))


def _problem(folder: Path, name: str, expected: Mapping[str, str]) -> str:
    if name not in expected:
        return f"{name}: not in {CHECKSUMS}"
    if not (folder / name).is_file():
        return f"{name}: missing"
    return "" if sha256(folder / name) == expected[name] else f"{name}: changed"


def _expected(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TaskError(f"there is no {CHECKSUMS} in {folder}: nothing to check it with") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _beside(folder: Path, role: str) -> Path:
    return folder.with_name(f".{folder.name}.{role}")


def _replace(work: Path, folder: Path) -> None:
    """Put the new folder in the place of the old one.

    After a kill between the two renames the old artefacts lie whole beside it, and the next run
    puts them back.
    """
    if folder.exists():
        old = _beside(folder, "old")
        folder.rename(old)
        work.rename(folder)
        files.remove(old, ignore_errors=True)
    else:
        work.rename(folder)
