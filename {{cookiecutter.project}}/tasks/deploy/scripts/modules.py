"""Prints the modules by which distributions are imported, as JSON: a list for each distribution.

    python modules.py [DISTRIBUTION]…

Runs in the environment to look at; without names, it prints the modules of all distributions there.
A distribution without a module (type stubs, data) has an empty list.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import all_suffixes
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import PurePosixPath

# Some distributions install these beside their packages by mistake; nobody imports them.
_BY_MISTAKE = {"benchmarks", "docs", "examples", "scripts", "test", "tests", "tools"}
_SUFFIXES = sorted(all_suffixes(), key=len, reverse=True)


def outermost(files: Iterable[PurePosixPath]) -> list[str]:
    """Return a distribution's modules that lie in none of its packages, and those packages, sorted.

    A namespace package is only a folder, so each module or package in it counts.
    """
    modules = {parts for file in files if (parts := _module(file))}
    packages = {parts[:-1] for parts in modules if parts[-1] == "__init__"}
    found = (parts[:-1] if parts[-1] == "__init__" else parts for parts in modules)
    return sorted(
        ".".join(parts)
        for parts in set(found)
        if parts and not any(parts[:depth] in packages for depth in range(1, len(parts)))
        and parts[0] not in _BY_MISTAKE
    )  # fmt: skip


def _module(file: PurePosixPath) -> tuple[str, ...]:
    """Return the parts of a module's name; none for a file that no import finds."""
    suffix = next((suffix for suffix in _SUFFIXES if file.name.endswith(suffix)), "")
    parts = (*file.parts[:-1], file.name.removesuffix(suffix))
    importable = suffix and all(map(str.isidentifier, parts)) and "__pycache__" not in parts
    return parts if importable and parts[-1] != "__main__" else ()


def _present(names: Iterable[str]) -> Iterator[Distribution]:
    for name in names:
        try:
            yield distribution(name)
        except PackageNotFoundError:  # its marker does not apply here
            continue


if __name__ == "__main__":
    asked = _present(sys.argv[1:]) if sys.argv[1:] else distributions()
    print(json.dumps([outermost(found.files or ()) for found in asked]))
