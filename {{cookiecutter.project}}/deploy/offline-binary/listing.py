"""Let pkgutil list the modules of the built program, which Django and plugin systems rely on.

program.spec runs it before the program. PyInstaller has a hook for that too, which imports pkgutil
at every start, since it also lists modules in the archive; here modules are files.
"""

import sys
from collections.abc import Iterator
from typing import Any


def _iter_modules(finder: Any, prefix: str = "") -> Iterator[tuple[str, bool]]:
    import pkgutil  # only those who list modules need it

    listed: Any = vars(pkgutil)["iter_importer_modules"]  # a function without type hints
    yield from listed(finder.fallback_finder, prefix)


sys.modules["pyimod02_importers"].PyiFrozenFinder.iter_modules = _iter_modules
