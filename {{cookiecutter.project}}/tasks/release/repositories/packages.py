"""Finds the packages that a repository has: those of all releases, and those it had before."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ...deploy.build import publish
from ...lib.console import TaskError
from ...lib.project import Project


def collect(project: Project, before: Path, suffix: str) -> Mapping[str, Path]:
    """Return the packages for a repository by their names; `before` is where it lies, if it does.

    Those of `dist/release/` count, or with none, those of `dist/offline-binary/`. Raises
    `TaskError` for two different packages of one name: package managers refuse one that changes.
    """
    found: dict[str, Path] = {}
    for path in [*sorted(before.rglob(f"*{suffix}")), *_built(project.dist, suffix)]:
        known = found.setdefault(path.name, path)
        if publish.sha256(known) != publish.sha256(path):
            raise TaskError(
                f"{path} is another package than {known}: give it a new version, since machines "
                "refuse a package that has changed"
            )
    return dict(sorted(found.items()))


def _built(dist: Path, suffix: str) -> Iterator[Path]:
    # A folder whose name begins with a dot is being written.
    released = sorted(dist.glob(f"release/[!.]*/offline-binary/*{suffix}"))
    yield from released or sorted(dist.glob(f"offline-binary/*{suffix}"))
