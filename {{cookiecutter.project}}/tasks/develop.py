"""Everyday tasks: run the program from its source, clean up."""

import os
import shutil
import subprocess

from invoke.context import Context

from .lib import project
from .lib.environment import ensure, interpreter, require_lock
from .lib.task import task


@task(help={"port": "Port that the service listens on (default: its own, 8000)."})
def serve(_context: Context, port: str = "") -> None:
    """Run the service from its source; Ctrl-C ends it."""
    this = project.load()
    require_lock(this)
    environment = ensure(this, interpreter(this), "packages")
    command = [str(environment.python), "-m", this.runtime, "serve"]
    command += ["--port", port] if port else []
    search = {**os.environ, "PYTHONPATH": str(this.source.parent)}
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
