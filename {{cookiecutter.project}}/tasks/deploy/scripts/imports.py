"""Tells PyInstaller what to collect and what to leave out.

Runs as a script in the build environment, whose modules it looks up:
`python imports.py PACKAGE_FOLDER ENGINE_FOLDER RUNTIME_DISTRIBUTION…` prints JSON.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:[\w.]+)?")


def external(package: Path) -> list[str]:
    """Return every module outside `package` that its source imports, sorted.

    `from a.b import c` imports `a.b`, and `a.b.c` where that is a module. A string such as `a.b.C`
    or `a.b:C` counts as an import of `a.b`, since programs import modules by such strings. Modules
    are looked up without being run.
    """
    names: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(_parsed(path)):
            names.update(_imported(node))
    own = package.name
    return sorted(n for n in names if n.partition(".")[0] != own and _is_module(n))


def foreign(runtime: Iterable[str]) -> list[str]:
    """Return the top-level modules of all distributions here that are not among `runtime`.

    Build tools share the environment with the program; none of them may slip into it.
    """
    wanted = {_normalised(name) for name in runtime}
    return sorted(
        module
        for module, owners in packages_distributions().items()
        if not wanted.intersection(map(_normalised, owners))
    )


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        sys.exit(f"{path}, line {error.lineno}: {error.msg}")


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and _DOTTED.fullmatch(str(node.value)):
        parts = str(node.value).partition(":")[0].split(".")
        yield from (".".join(parts[:depth]) for depth in range(len(parts), 1, -1))


def _is_module(name: str) -> bool:
    if name in sys.builtin_module_names or name in sys.modules:
        return True
    path: list[str] | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = list(spec.submodule_search_locations or ())
    return True


if __name__ == "__main__":
    package, engine, *distributions = sys.argv[1:]
    modules = sorted({*external(Path(package)), *external(Path(engine))})
    print(json.dumps({"modules": modules, "foreign": foreign(distributions)}))
