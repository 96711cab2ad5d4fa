"""Reads Pipfile.lock: the one place that knows its form.

The form: https://github.com/pypa/pipfile (a section per category, `default` for the Pipfile's
`[packages]`, `develop` for its `[dev-packages]`).
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SECTIONS = {"packages": "default", "dev-packages": "develop"}


class LockError(Exception):
    """The lock cannot give what was asked for; the text says why."""


def requirements(lock: Path, categories: Iterable[str]) -> str:
    """Give the locked packages of some Pipfile categories as a hash-pinned requirements file.

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
                    "for one environment: pin it in the Pipfile and run `pipenv lock`"
                )
            extras = {*known.get("extras", ()), *entry.get("extras", ())}
            merged[name] = {**known, "extras": sorted(extras)}
    return "".join(f"{_line(name, merged[name])}\n" for name in sorted(merged))


def packages(lock: Path, category: str) -> dict[str, dict[str, Any]]:
    """Give one category's entries by package name.

    Raises `LockError` for a lock that is missing or malformed, or that has no such category.
    """
    section = _content(lock).get(_SECTIONS.get(category, category))
    if section is None:
        raise LockError(f"{lock.name} has no category '{category}': run `pipenv lock`")
    return section


def categories(lock: Path) -> list[str]:
    """Give the names of all categories in the lock."""
    return [name for name in _content(lock) if not name.startswith("_")]


def digest(lock: Path) -> str:
    """Give the SHA-256 of the lock file, in hex."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _content(lock: Path) -> dict[str, dict[str, Any]]:
    try:
        content: dict[str, dict[str, Any]] = json.loads(lock.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LockError(f"cannot read {lock.name}: {error}; run `pipenv lock`") from error
    return content


def _line(name: str, entry: dict[str, Any]) -> str:
    if not (entry.get("version", "").startswith("==") and entry.get("hashes")):
        raise LockError(f"{name} is locked without a version and hashes: nothing can check it")
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    marker = f" ; {entry['markers']}" if entry.get("markers") else ""
    hashes = "".join(f" --hash={value}" for value in entry["hashes"])
    return f"{name}{extras}{entry['version']}{marker}{hashes}"
