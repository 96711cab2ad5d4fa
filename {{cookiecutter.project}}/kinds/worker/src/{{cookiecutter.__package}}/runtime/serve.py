"""The command that works, and where a worker is asked whether it is ready."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from . import NAME
from .check import HEALTH_PATH, READY_PATH
from .common import Failure, chosen, declared
from .health_socket import HEALTH, SocketError
from .reference import ProgramError


@click.command()
@click.option("--hold", is_flag=True, help="Do not work until SIGUSR1.")
def serve(hold: bool) -> None:
    """Work until told to stop."""
    from . import ending, worker

    described, settings = declared(), chosen()
    try:
        code = worker.work(described, settings, hold=hold)
    except (ProgramError, SocketError) as error:
        raise Failure(str(error)) from None
    ending.end(code)
    raise SystemExit(code)


def where(url: str | None, *, alive: bool = False) -> tuple[str, str]:
    """Return the address to ask, `url` if one is given, and the path to ask for there."""
    return url or f"unix:{health_path(os.environ)}", HEALTH_PATH if alive else READY_PATH


def health_path(environ: Mapping[str, str]) -> Path:
    """Return where the installed worker answers health checks."""
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    of_user = environ.get("XDG_RUNTIME_DIR", "")
    if not folder and of_user and Path(of_user, NAME, HEALTH).exists():
        folder = f"{of_user}/{NAME}"
    return Path(folder or f"/run/{NAME}", HEALTH)
