"""Make the environment that Pipfile.lock describes, with every file checked against its hash.

The index is the one that pip and uv are configured with on the host.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from common import KIT, attempt
from host.errors import HostError

_LISTING = KIT / "requirements.txt"
_DOING = "make the environment"


def make(work: Path, python: str, held: Sequence[int]) -> None:
    """Make the folder `work`/packages with the first installer that this machine has."""
    installers: dict[str, Callable[[Path, str, Sequence[int]], None]] = {
        "uv": _with_uv,
        "pipenv": _with_pipenv,
    }
    here = [install for name, install in installers.items() if shutil.which(name)]
    if _has_pip(python):
        here.append(_with_pip)
    if not here:
        raise HostError(
            f"this machine has no uv and no pipenv, and {python} has no pip: install one of them"
        )
    here[0](work, python, held)
    shutil.rmtree(work / "packages/bin", ignore_errors=True)


def _has_pip(python: str) -> bool:
    asking = [python, "-I", "-c", "import ensurepip"]
    return subprocess.run(asking, capture_output=True, check=False).returncode == 0


def _with_uv(work: Path, python: str, held: Sequence[int]) -> None:
    options = ("--quiet", "--require-hashes", "--compile-bytecode", "--no-python-downloads")
    target = ("--link-mode", "copy", "--python", python, "--target", work / "packages")
    attempt(_DOING, ["uv", "pip", "sync", *options, *target, _LISTING], held)


def _with_pipenv(work: Path, python: str, held: Sequence[int]) -> None:
    venv = work / "venv"
    attempt(_DOING, [python, "-m", "venv", "--without-pip", venv], held)
    quiet = {"PIPENV_VERBOSITY": "-1", "PIPENV_NOSPIN": "1"}
    place = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv}/bin:{os.environ['PATH']}"}
    attempt(_DOING, ["pipenv", "sync"], held, {**quiet, **place}, work / "source")
    (site,) = venv.glob("lib/python*/site-packages")
    site.rename(work / "packages")


def _with_pip(work: Path, python: str, held: Sequence[int]) -> None:
    attempt(_DOING, [python, "-m", "venv", work / "venv"], held)
    pip = [str(work / "venv/bin/python"), "-m", "pip", "--disable-pip-version-check", "install"]
    options = ("--quiet", "--no-deps", "--require-hashes", "--target", work / "packages")
    attempt(_DOING, [*pip, *options, "--requirement", _LISTING], held)
