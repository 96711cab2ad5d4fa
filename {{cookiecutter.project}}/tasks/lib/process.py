"""Runs other programs from argument lists, quietly unless they fail."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .console import TaskError

_LAST_WORDS = 12  # lines of a failed program's output that the user is shown


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
    """Run a command and give its standard output; `env` is added to the environment.

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
        words = (done.stdout + done.stderr).strip().splitlines()[-_LAST_WORDS:]
        said = "".join(f"\n    {line}" for line in words)
        raise TaskError(f"{Path(argv[0]).name} failed with exit code {done.returncode}:{said}")
    return done.stdout
