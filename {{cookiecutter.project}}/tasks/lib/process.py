"""Runs other programs from argument lists, quietly unless they fail."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .console import TaskError

EARLIEST = 315_532_800
"""1980-01-01, the earliest date that a zip archive can hold: for files that have no other date."""
REPRODUCIBLE = {"PYTHONHASHSEED": "1", "SOURCE_DATE_EPOCH": str(EARLIEST)}
"""The environment variables with which a tool writes the same bytes each time."""
_LAST_LINES = 12  # of a failed program's output that the user is shown
_PREFIX = re.compile(r"^(fatal: |\[ERROR\]: |error: )")


def last_line(said: str, otherwise: str) -> str:
    """Return the line in which a program says why it failed, mostly its last one.

    `otherwise` stands in for a program that says nothing.
    """
    return _PREFIX.sub("", (_lines(said) or [otherwise])[-1])


def first_line(said: str, otherwise: str) -> str:
    """Return the first line, for a program that prints advice after its reason."""
    return _PREFIX.sub("", (_lines(said) or [otherwise])[0])


def last_lines(said: str) -> str:
    """Return the last lines of a failed program's output, indented to stand below its name."""
    return "".join(f"\n    {line}" for line in said.strip().splitlines()[-_LAST_LINES:])


def _lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.strip()]


def require(tools: Sequence[str], by: str) -> None:
    """Check that programs of binutils and glibc are here, before anything is built.

    Raises `TaskError` that names those which are not.
    """
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        raise TaskError(f"{by} needs {', '.join(missing)}: install binutils")


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command and return its standard output; `env` is added to the environment.

    Raises `TaskError` with the command's last lines when it is not there or exits non-zero.
    """
    argv = [str(part) for part in command]
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise TaskError(f"cannot run {argv[0]}: {error.strerror}") from error
    if done.returncode:
        said = last_lines(done.stdout + done.stderr)
        raise TaskError(f"{Path(argv[0]).name} failed with exit code {done.returncode}:{said}")
    return done.stdout
