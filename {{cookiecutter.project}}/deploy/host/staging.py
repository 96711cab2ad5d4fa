"""Bring a release tree into `releases/`: copy it, check the copy, and rename it into place."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from . import preflight, release, signature, tree
from .commands import run
from .errors import HostError, reason
from .installation import Installation
from .release import SUMS
from .retention import leftovers
from .signature import Trust

INSTALLER = frozenset({"install"})
"""The files beside a release in its archive that are not part of it."""
_BUNDLE_RELEASE = "Script/release"
_BUNDLE_SUMS = f"Script/{SUMS}"
_MAKER = "Script/make_release.py"
_MAKE_SECONDS = 900.0
_LINKED_KB = 2048


@dataclass(frozen=True)
class Origin:
    """Where a release comes from, and which signature it must have."""

    source: Path
    """A release tree, or an unpacked bundle."""
    trusted: Trust
    facts: release.Release
    """The facts that the first checks were made with; the copy must have the same."""
    built_here: bool = False
    """Whether it was made on this machine, by a caller who has checked its origin."""


def is_bundle(source: Path) -> bool:
    """Return whether a folder is an unpacked bundle, from which the release is yet to be made."""
    return (source / _BUNDLE_RELEASE).is_dir()


def sums_of(source: Path) -> Path:
    """Return the path of the checksums of a tree or a bundle; the file may be missing."""
    return source / (_BUNDLE_SUMS if is_bundle(source) else SUMS)


def facts_of(source: Path) -> release.Release:
    """Return the unchecked facts of a tree or a bundle. Raises HostError."""
    if not is_bundle(source):
        return release.read(source)
    try:
        return release.read(source / _BUNDLE_RELEASE)
    except HostError:
        tree.require_whole(source, source, sums_of(source))  # report damage as damage
        raise


def stage(this: Installation, origin: Origin) -> str:
    """Bring the release in, and return its name in `releases/`; the caller holds the lock.

    Raises HostError, with nothing changed, if it is refused or damaged, or the disk is full.
    """
    folder = this.place.engine
    for left in leftovers(folder, this.disk.names(folder)):
        this.disk.remove(left)
    staging = folder / "staging"
    try:
        made = _bundle(this, origin, staging) if is_bundle(origin.source) else None
        return _bring_in(this, made or _tree(this, origin, staging), origin)
    except OSError as error:
        free = preflight.free_kb(folder)
        why = (error.strerror or str(error)).lower()
        raise HostError(
            f"could not copy {origin.source} to {this.place.releases}, "
            f"where {free} kB are free: {why}"
        ) from error
    finally:
        this.disk.remove(staging)


def needed_kb(this: Installation, source: Path, size_kb: int) -> int:
    """Return how many kilobytes a release needs; the package's files are only linked."""
    return _LINKED_KB if source == this.place.package else size_kb


def _tree(this: Installation, origin: Origin, staging: Path) -> Path:
    source = origin.source
    if origin.built_here and source.is_relative_to(this.place.engine):
        tree.require_whole(source, source)
        return source
    _copy(source, staging, link=source == this.place.package, leave=_beside(source))
    tree.require_whole(staging, source)
    if not origin.built_here:
        signature.require_signed(origin.trusted, this.place.name, staging / SUMS, source)
    return staging


def _copy(
    source: Path, target: Path, *, link: bool = False, leave: frozenset[str] = frozenset()
) -> None:
    try:
        tree.copy(source, target, link=link, leave=leave)
    except HostError as error:
        raise HostError(f"{source} is not whole, nothing was installed: {error}") from error


def _beside(source: Path) -> frozenset[str]:
    listed = release.content(source / SUMS) or b""
    return frozenset() if b"  install\n" in listed else INSTALLER


def _bundle(this: Installation, origin: Origin, staging: Path) -> Path:
    """Make the release from a checked copy of the bundle, with the copy's own Python."""
    staging.mkdir(mode=0o700)
    copied, made = staging / "bundle", staging / "tree"
    _copy(origin.source, copied)
    tree.require_whole(copied, origin.source, copied / _BUNDLE_SUMS)
    signature.require_signed(origin.trusted, this.place.name, copied / _BUNDLE_SUMS, origin.source)
    pythons = sorted(copied.glob("Python*/bin/python3"))
    if len(pythons) != 1:
        raise HostError(f"{origin.source} is not whole: expected exactly one Python in it")
    command = ("sh", pythons[0], "-I", "-S", "-B", copied / _MAKER, "--link", copied, made)
    done = run(command, _MAKE_SECONDS)
    if done.returncode:
        said = reason(done.stderr) or f"exit code {done.returncode}"
        raise HostError(f"could not make the release: {said}")
    tree.require_whole(made, origin.source)
    # The release must carry its own signature: it is verified again when the bundle is gone.
    signature.require_signed(origin.trusted, this.place.name, made / SUMS, origin.source)
    return made


def _bring_in(this: Installation, made: Path, origin: Origin) -> str:
    """Move a checked tree to its name, or reuse the same release if it is there and undamaged."""
    if release.read(made) != origin.facts:
        raise HostError(f"{origin.source} was changed while it was copied: nothing was installed")
    version = origin.facts.version
    sums = (made / SUMS).read_bytes()
    digest = hashlib.sha256(sums).hexdigest()[:8]
    this.place.releases.mkdir(parents=True, exist_ok=True)
    for name in (version, f"{version}-{digest}", *(f"{version}-{digest}-{n}" for n in (2, 3))):
        target = this.place.releases / name
        if not this.disk.exists(target):
            made.chmod(0o755)
            this.disk.sync()
            this.disk.rename(made, target)
            return name
        # A damaged release is never repaired in place: a new one goes beside it.
        if this.disk.read(target / SUMS) == sums and not tree.faults(target):
            return name
    raise HostError(f"all of {this.place.releases / version}* are damaged")
