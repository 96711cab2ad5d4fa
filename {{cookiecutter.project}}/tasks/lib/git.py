"""Runs Git without prompts and in English, and reports a failure in one line."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from .console import TaskError
from .process import last_line


def ask(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Git in a folder and return the result, whatever its exit code is.

    `env` is added to the environment; `stdin` is what Git reads. Raises `TaskError` where Git
    cannot be run.
    """
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            errors="surrogateescape",  # file names may be in any encoding
            check=False,
        )
    except OSError as error:
        raise TaskError(f"cannot run git: {error.strerror}") from error


def run(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> str:
    """Return what Git prints; raise `TaskError` if it fails."""
    done = ask(folder, *arguments, env=env, stdin=stdin)
    if done.returncode:
        raise TaskError(f"git {arguments[0]}: {last_line(done.stderr, f'{done.returncode}')}")
    return done.stdout.strip()


def answer(folder: Path, *arguments: str) -> str:
    """Return what Git prints; empty if it fails or is not installed."""
    try:
        done = ask(folder, *arguments)
    except TaskError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def tracked(folder: Path) -> list[Path]:
    """Return the files in a folder that Git tracks; none outside of Git."""
    names = answer(folder, "ls-files", "-z", "--cached").split("\0")
    return [folder / name for name in names if name]
