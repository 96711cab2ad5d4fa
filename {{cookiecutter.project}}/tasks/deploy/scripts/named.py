"""Prints the modules that distributions import by a name in a string, as JSON.

    python named.py DISTRIBUTION…

Runs in the build environment, without running any module. PyInstaller follows import statements
alone, but gunicorn, for one, imports "gunicorn.glogging.Logger" by its name.
"""

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, PackagePath, files

_STRING = re.compile(rb"""(["'])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::[\w.]+)?\1""")
_TESTS = {"conftest", "test", "testing", "tests"}


def named(text: bytes, modules: Collection[str]) -> Iterator[str]:
    """Yield those of `modules` that a string in a source text names.

    The string may also name something in a module: `package.module.Class`, `package.module:Class`.
    """
    for match in _STRING.finditer(text):
        parts = match[2].decode().split(".")
        names = (".".join(parts[:depth]) for depth in range(len(parts), 1, -1))
        if found := next((name for name in names if name in modules), ""):
            yield found


def _present(distributions: Iterable[str]) -> Iterator[PackagePath]:
    for name in distributions:
        try:
            yield from files(name) or ()
        except PackageNotFoundError:  # its marker does not apply here
            continue


def _module(file: PackagePath) -> str:
    parts = (*file.parts[:-1], file.name.partition(".")[0])
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    code = [file for file in _present(sys.argv[1:]) if file.suffix in {".py", ".so", ".pyd"}]
    known = {_module(file) for file in code if not _TESTS.intersection(_module(file).split("."))}
    texts = (file.read_binary() for file in code if file.suffix == ".py")
    print(json.dumps(sorted({name for text in texts for name in named(text, known)})))
