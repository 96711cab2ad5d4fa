"""Measures what the program's packages weigh as the index gives them."""

import tempfile
from pathlib import Path

from ..lib.environment import Environment, pinned
from ..lib.process import run
from ..lib.project import Project

CATEGORY = "packages"


def size(project: Project, environment: Environment) -> int:
    """Return the bytes of the files that the program's locked packages are installed from.

    The index and its cache are those of pip. Raises `TaskError` where pip cannot get one.
    """
    wanted = pinned(project, CATEGORY)
    if not wanted:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        listing, files = Path(folder, "requirements.txt"), Path(folder, "files")
        listing.write_text(wanted, encoding="utf-8")
        python, pip = environment.interpreter.path, ("-m", "pip", "--disable-pip-version-check")
        options = ("--quiet", "--no-deps", "--require-hashes", "--requirement", listing)
        run([python, *pip, "download", *options, "--dest", files])
        return sum(path.stat().st_size for path in files.iterdir())
