"""Reads Pipfile.lock: the one place that knows its form.

The form: https://github.com/pypa/pipfile (a section per category, `default` for the Pipfile's
`[packages]`, `develop` for its `[dev-packages]`).
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_SECTIONS = {"packages": "default", "dev-packages": "develop"}
_NO_CATEGORIES = {"source", "requires", "scripts", "pipenv", "pipfile"}
USUAL: list[dict[str, Any]] = [
    {"name": "pypi", "url": "https://{}.{}/simple".format("pypi", "org"), "verify_ssl": True}
]
"""The index that pipenv assumes, and hashes, where neither the Pipfile nor pip's settings name one.
The address is put together here: no file of a project names an index, so that mirrors work."""
_PLAIN = {"version", "extras", "index"}


class LockError(Exception):
    """The lock cannot give what was asked for; the text says why."""


def require_fitting(lock: Path) -> None:
    """Check that the lock was made from the Pipfile beside it, as the Pipfile is now.

    `pipenv verify` checks the same. But where the Pipfile names no package index, it hashes the one
    of the machine that it runs on, and so refuses a lock that was made elsewhere. Where no known
    index gives the lock's hash, compare what is locked with what the Pipfile asks for.

    Raises `LockError` for a lock or a Pipfile that is missing, malformed or does not fit.
    """
    content, pipfile = read(lock), read_pipfile(lock.with_name("Pipfile"))
    meta = content.get("_meta", {})
    made_with = meta.get("sources")
    indexes = [pipfile["source"]] if "source" in pipfile else [USUAL, made_with]
    if meta.get("hash", {}).get("sha256") in (fingerprint(pipfile, index) for index in indexes):
        return
    # pip's `extra-index-url` enters the hash, but no file records it. Only the template makes locks
    # without any index, from PyPI, so the hash of such a lock must match.
    if "source" in pipfile or not made_with or not _holds(content, pipfile):
        raise LockError(f"{lock.name} does not fit its Pipfile: run `invoke deps.lock`")


def requirements(lock: Path, categories: Iterable[str]) -> str:
    """Return the locked packages of some Pipfile categories as a hash-pinned requirements file.

    Raises `LockError` as `packages` does, for a package without version or hashes, and for one
    that two categories lock at different versions.
    """
    merged: dict[str, dict[str, Any]] = {}
    for category in categories:
        for name, entry in packages(lock, category).items():
            known = merged.setdefault(name, entry)
            if known.get("version") != entry.get("version"):
                raise LockError(
                    f"{lock.name} has {name} {known.get('version')} and {entry.get('version')} "
                    "for one environment: pin it in the Pipfile and run `invoke deps.lock`"
                )
            extras = {*known.get("extras", ()), *entry.get("extras", ())}
            merged[name] = {**known, "extras": sorted(extras)}
    return "".join(f"{_line(name, merged[name])}\n" for name in sorted(merged))


def packages(lock: Path, category: str) -> dict[str, dict[str, Any]]:
    """Return one category's entries by package name.

    Raises `LockError` for a lock that is missing or malformed, or that has no such category.
    """
    section = read(lock).get(_SECTIONS.get(category, category))
    if section is None:
        raise LockError(f"{lock.name} has no category '{category}': run `invoke deps.lock`")
    return section


def categories(lock: Path) -> list[str]:
    """Return the names of all categories in the lock."""
    return [name for name in read(lock) if not name.startswith("_")]


def digest(lock: Path) -> str:
    """Return the SHA-256 of the lock file, in hex."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def read(lock: Path) -> dict[str, dict[str, Any]]:
    """Return the whole lock; raise `LockError` where it cannot be read."""
    try:
        content: dict[str, dict[str, Any]] = json.loads(lock.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LockError(f"there is no {lock.name}: run `invoke deps.lock`") from error
    except (OSError, ValueError) as error:
        raise LockError(f"cannot read {lock.name}: {error}; run `invoke deps.lock`") from error
    return content


def read_pipfile(path: Path) -> dict[str, Any]:
    """Return a Pipfile's content; raise `LockError` where it cannot be read."""
    try:
        pipfile = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LockError(f"there is no {path.name}, which says what is locked") from error
    except (OSError, ValueError) as error:
        raise LockError(f"cannot read {path.name}: {error}") from error
    for category in pipfile.keys() - _NO_CATEGORIES:
        if not isinstance(pipfile[category], dict):
            raise LockError(f"cannot read {path.name}: '{category}' is no table of packages")
    return pipfile


def asked_for(pipfile: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a Pipfile asks for, by section of the lock and normalised package name."""
    return {
        _SECTIONS.get(category, category): {
            _normalised(name): wanted for name, wanted in pipfile[category].items()
        }
        for category in pipfile.keys() - _NO_CATEGORIES
    }


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what differs between two locks, such as `click 8.1.0 -> 8.1.2`, sorted."""
    found = set()
    for section in (old.keys() | new.keys()) - {"_meta"}:
        before, after = old.get(section, {}), new.get(section, {})
        for name in before.keys() | after.keys():
            was, is_now = (_version(entries.get(name)) for entries in (before, after))
            if was != is_now:
                found.add(f"{name} {was} -> {is_now}")
    return sorted(found)


def _version(entry: Mapping[str, Any] | None) -> str:
    return str(entry.get("version", "")).lstrip("=") if entry else "none"


def naming(pipfile: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what a Pipfile asks of a package, by the category that names it."""
    return {
        category: given
        for category in sorted(pipfile.keys() - _NO_CATEGORIES)
        for known, given in pipfile[category].items()
        if _normalised(known) == _normalised(name)
    }


def fingerprint(pipfile: Mapping[str, Any], index: object) -> str:
    """Return the hash by which pipenv knows the Pipfile that a lock was made from."""
    meta = {"sources": index, "requires": pipfile.get("requires", {})}
    sections = {"_meta": meta, "default": {}, "develop": {}, **asked_for(pipfile)}
    text = json.dumps(sections, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _holds(content: Mapping[str, Any], pipfile: Mapping[str, Any]) -> bool:
    """Return whether a lock holds all that a Pipfile asks for, and nothing more.

    A package counts as locked where only pip understands how it is asked for, such as by a path.
    """
    for section, asked in asked_for(pipfile).items():
        locked = {_normalised(name): entry for name, entry in content.get(section, {}).items()}
        # pipenv marks with `index` each package that the Pipfile names by a version alone.
        if any("index" in entry and name not in asked for name, entry in locked.items()):
            return False
        for name, wanted in asked.items():
            given = {"version": wanted} if isinstance(wanted, str) else wanted
            entry = locked.get(name, {} if given.keys() <= _PLAIN else None)
            if entry is not None and not _meets(entry, given):
                return False
    return True


def _meets(entry: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    has_extras = set(given.get("extras", ())) <= set(entry.get("extras", ()))
    has_version = admits(given.get("version", "*"), entry.get("version", ""))
    return bool(entry) and has_extras and has_version


def admits(wanted: str, locked: str) -> bool:
    """Return whether a specifier such as `>=1.2,<2` admits a locked version such as `==1.5`.

    Only versions of numbers and dots are judged; all others are taken to be admitted.
    """
    return all(_clause(clause.strip(), locked.lstrip("=")) for clause in wanted.split(","))


def _clause(clause: str, version: str) -> bool:
    found = re.fullmatch(r"(~=|[=!<>]=|[<>])\s*([\d.]*\d)(\.\*)?", clause)
    if not found or not re.fullmatch(r"[\d.]*\d", version):
        return True
    relation, text, prefix = found.groups()
    have, bound = ([int(part) for part in v.split(".")] for v in (version, text))
    length = max(len(have), len(bound))
    filled, limit = (part + [0] * (length - len(part)) for part in (have, bound))
    equal = filled[: len(bound)] == bound if prefix else filled == limit
    return {
        "==": equal,
        "!=": not equal,
        "<=": filled <= limit,
        ">=": filled >= limit,
        "<": filled < limit,
        ">": filled > limit,
        "~=": filled >= limit and filled[: len(bound) - 1] == bound[:-1],
    }[relation]


def _line(name: str, entry: dict[str, Any]) -> str:
    if not (entry.get("version", "").startswith("==") and entry.get("hashes")):
        raise LockError(f"{name} is locked without a version and hashes: nothing can check it")
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    hashes = "".join(f" --hash={value}" for value in entry["hashes"])
    return f"{name}{extras}{entry['version']}{marker}{hashes}"


def _normalised(name: str) -> str:
    """Return the normalised form of a distribution name (https://peps.python.org/pep-0503/)."""
    return re.sub(r"[-_.]+", "-", name).lower()
