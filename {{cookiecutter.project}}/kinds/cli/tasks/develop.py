"""Everyday tasks: run the program from its source, clean up."""

import os
import shlex
import shutil
import subprocess

from invoke.context import Context

from .lib import project
from .lib.console import TaskError
from .lib.environment import ensure, interpreter, require_lock
from .lib.task import task


@task(help={"arguments": "What it is given, as one text (default: --help)."})
def run(_context: Context, arguments: str = "--help") -> None:
    """Run the command from its source."""
    this = project.load()
    require_lock(this)
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise TaskError(f"--arguments is {arguments!r}: {str(error).lower()}") from error
    environment = ensure(this, interpreter(this), "packages")
    search = {**os.environ, "PYTHONPATH": str(this.source.parent)}
    command = [str(environment.python), "-m", this.runtime, *words]
    try:
        code = subprocess.run(command, env=search, check=False).returncode
    except KeyboardInterrupt:
        return
    raise SystemExit(code)


@task()
def clean(_context: Context) -> None:
    """Delete what builds and checks leave behind; published artefacts stay."""
    this = project.load()
    for name in ("build", "reports", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache"):
        shutil.rmtree(this.root / name, ignore_errors=True)
