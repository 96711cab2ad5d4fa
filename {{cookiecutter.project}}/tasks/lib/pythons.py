"""Checks that the lock serves every Python of the project, and that all files name the same one.

A lock that was made on one Python may lack what another needs. So every Python is asked for by its
version, whether it is here or not: of the lock, and of the metadata of what the lock installed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from . import lock, markers
from .interpreter import minor
from .lock import LockError
from .project import Project, normalised

_REQUIREMENT = re.compile(r"\s*([\w.-]+)[^;]*(?:;(.*))?", re.DOTALL)
_RENEW = "run `invoke deps.lock`"


def require_usable(project: Project, made: Path | None = None) -> None:
    """Check that the lock fits the Pipfile, and serves each Python that the project names.

    `made` is another lock than the project's own, in a folder with the Pipfile. Raises `LockError`
    that says what does not, and how to put it right.
    """
    path = made or project.lock
    lock.require_fitting(path)
    pipfile = lock.read_pipfile(path.with_name("Pipfile"))
    required = pipfile.get("requires", {}).get("python_version", "")
    if re.fullmatch(r"\d+\.\d+", required) and required != minor(project.python):
        raise LockError(
            f"the Pipfile requires Python {required}, but .python-version names {project.python}: "
            f"write the same into both, and {_RENEW}"
        )
    for section, wanted in lock.asked_for(pipfile).items():
        entries = _by_name(lock.read(path).get(section, {}))
        _require_serving(project, entries, wanted)


def _require_serving(
    project: Project, entries: Mapping[str, Mapping[str, Any]], pipfile: Mapping[str, Any]
) -> None:
    """Check that what one category asks for is locked, at a version for all Pythons."""
    for name, given in pipfile.items():
        entry = entries.get(name)
        if entry is None and (isinstance(given, str) or "version" in given):
            raise LockError(f"{project.lock.name} lacks {name}: {_RENEW}")
        lacking = [p for p in in_order(project) if asked(given, p) and not _on(entry or {}, p)]
        if entry and lacking:
            what = f"{name} {entry.get('version', '').lstrip('=')} is for {entry['markers']}"
            raise _refusal(project, lacking, f"{what}: {_RENEW}")


def require_whole(project: Project, categories: Iterable[str], site: Path) -> None:
    """Check that the lock has what each Python needs of the packages that are installed in `site`.

    `site` is the folder of packages in an environment that was made of some categories. Raises
    `LockError` that names the Pythons, what they lack, and which package needs it.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    for category in categories:
        entries.update(_by_name(lock.packages(project.lock, category)))
    installed = {normalised(found.name): found for found in distributions(path=[str(site)])}
    lacks: dict[tuple[str, str], list[str]] = {}
    for python in project.pythons:
        for pair in _unmet(entries, installed, python):
            lacks.setdefault(pair, []).append(python)
    for (needing, needed), lacking in lacks.items():
        cure = _RENEW if oldest(project) in lacking else _addition(needed, lacking[0])
        raise _refusal(project, lacking, f"{needing} needs {needed} there: {cure}")


def oldest(project: Project) -> str:
    """Return the oldest Python of the project."""
    return in_order(project)[0]


def in_order(project: Project) -> list[str]:
    """Return the Pythons of the project, the oldest first."""
    return sorted(project.pythons, key=lambda version: [int(part) for part in version.split(".")])


def _unmet(
    entries: Mapping[str, Mapping[str, Any]], installed: Mapping[str, Distribution], python: str
) -> Iterator[tuple[str, str]]:
    """Yield each package that needs what the lock does not have for a Python, with what that is."""
    here = {name for name, entry in entries.items() if _on(entry, python)}
    known = markers.values(python)
    for name in sorted(here & installed.keys()):
        for needed in needs(installed[name], entries[name].get("extras", ()), known):
            if needed not in here:
                yield name, needed


def needs(found: Distribution, extras: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """Return what an installed package needs, by the values of markers that `known` has."""
    chosen = ["", *extras]
    parts = map(_parts, found.requires or ())
    return [
        needed
        for needed, marker in parts
        if not marker or any(markers.holds(marker, {**known, "extra": e}) for e in chosen)
    ]


def _by_name(section: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return entries by normalised names; Pipenv leaves dots in some."""
    return {normalised(name): entry for name, entry in section.items()}


def _parts(requirement: str) -> tuple[str, str]:
    """Return the name and the marker of a requirement such as `a-b[c] >=1 ; os_name == "nt"`."""
    found = _REQUIREMENT.match(requirement)
    return (normalised(found[1]), found[2] or "") if found else ("", "False")


def _on(entry: Mapping[str, Any], python: str) -> bool:
    return not entry.get("markers") or markers.holds(entry["markers"], markers.values(python))


def asked(given: object, python: str) -> bool:
    """Return whether the Pipfile asks for a package on a Python of this machine."""
    if not isinstance(given, dict):
        return True
    known = markers.values(python)
    conditions = [f"{name} {given[name]}" for name in known if name in given]
    return _on(given, python) and all(markers.holds(each, known) for each in conditions)


def _addition(needed: str, python: str) -> str:
    entry = f'{needed} = {{version = "*", markers = "python_version >= \'{python}\'"}}'
    return f"write `{entry}` into the Pipfile, and {_RENEW}"


def _refusal(project: Project, lacking: list[str], why: str) -> LockError:
    return LockError(f"{project.lock.name} does not serve Python {', '.join(lacking)}: {why}")
