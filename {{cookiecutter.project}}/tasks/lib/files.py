"""Replaces files whole, and removes folders on every system."""

import os
import platform
import shutil
from pathlib import Path

from .console import TaskError


def replace(path: Path, text: str) -> None:
    """Write a text file anew, so that it holds either the old text or the new one, always.

    That is so for one who reads it meanwhile, and after a kill or a power cut at any moment. Raises
    `TaskError` where the new text cannot be written.
    """
    path = path.resolve()  # of a link, what it names
    new = path.with_name(f".{path.name}.new")
    try:
        _write(new, text)
        if path.exists():
            new.chmod(path.stat().st_mode)
        new.replace(path)
        _keep_name(path.parent)
    except OSError as error:
        raise TaskError(f"cannot write {path}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _keep_name(folder: Path) -> None:
    """Let a rename in a folder outlast a power cut."""
    if platform.system() == "Windows":  # no folder can be opened there
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove(folder: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder, with the files that nobody may write to."""
    if platform.system() == "Windows":  # which removes none of these
        for path in folder.rglob("*"):
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors)
