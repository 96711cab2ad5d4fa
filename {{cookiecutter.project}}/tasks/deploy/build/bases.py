"""Keeps bases: the part of a build that only the lock and the interpreter decide.

A base takes half a minute to fill and serves thousands of commits, so each build puts the project's
own code on a base that is kept. One cache serves every quadrant.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from . import libraries
from .publish import sha256

_TASKS = Path(__file__).resolve().parents[2]
_SHARED = (_TASKS / "lib", _TASKS / "deploy/build", _TASKS / "deploy/scripts")
_SEEN = "libraries-seen.json"
_KEPT = 3

Fill = Callable[[Path], Iterable[Path]]
"""Fills an empty folder; returns the files of this machine that went into it."""


def obtain(cache: Path, facts: object, code: Iterable[Path], fill: Fill) -> Path:
    """Return the folder of a base, filled now or kept from before.

    `facts`, which JSON can hold, and `code` identify the base: any change in them makes another
    one. `code` names the files and folders of Python that fill this kind of base; the code that all
    kinds share is added here. The caller must keep other builds away from `cache`.
    """
    for left in cache.glob("base-*.*"):  # left by a build that was killed
        shutil.rmtree(left)
    base = cache / f"base-{_key(facts, [*_SHARED, *code])}"
    if not is_current(base):
        _fill(base, fill)
    os.utime(base)
    newest_first = sorted(cache.glob("base-*"), key=lambda folder: -folder.stat().st_mtime)
    for old in newest_first[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return base


def is_current(base: Path) -> bool:
    """Return whether a base is there and this machine's files in it are still the same."""
    try:
        seen = json.loads((base / _SEEN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return libraries.unchanged(seen)


def _fill(base: Path, fill: Fill) -> None:
    work = base.with_name(f"{base.name}.{os.getpid()}")
    work.mkdir(parents=True)
    try:
        seen = libraries.seen(fill(work))
        (work / _SEEN).write_text(json.dumps(seen), encoding="utf-8")
        shutil.rmtree(base, ignore_errors=True)
        work.rename(base)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _key(facts: object, code: Iterable[Path]) -> str:
    files = {file for path in code for file in _files(path)}
    contents = sorted((file.name, sha256(file)) for file in files)  # wherever they are
    return hashlib.sha256(json.dumps([facts, contents], sort_keys=True).encode()).hexdigest()[:12]


def _files(path: Path) -> Iterable[Path]:
    return path.rglob("*.py") if path.is_dir() else [path]
