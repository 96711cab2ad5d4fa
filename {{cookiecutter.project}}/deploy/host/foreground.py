"""Run the program's commands as its service runs: with its user, settings, data and limits."""

import os
import re
from collections.abc import Sequence
from typing import NoReturn

from .commands import environment
from .errors import HostError
from .installation import Installation
from .place import require_owner

_OF_SERVICES = re.compile(r"(KillMode|LimitNOFILE|NonBlocking|NotifyAccess|Sockets|Timeout\w+)=")
"""The keys that mean something only for a service, which is waited for, watched and stopped."""
_SYSTEMD_RUN = (
    "systemd-run", "--quiet", "--collect", "--wait", "--pipe", "--pty", "--service-type=exec",
)  # fmt: skip
"""Waits, passes on the exit code, and uses the terminal where there is one, else pipes."""


def run(this: Installation, words: Sequence[str]) -> NoReturn:
    """Become a command of the active release. Raises HostError where it cannot be run."""
    require_owner(this.place)
    if not this.active:
        raise HostError(f"nothing is installed in {this.place.base}")
    if not this.systemd.runs():
        raise HostError(f"{this.no_service()}: start {this.place.current}/bin/{this.place.name}")
    command = command_line(this, words)
    variables = environment() | _terminal() | this.systemd.environment
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606  # nosec B606 (no shell is wanted)
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error


def command_line(this: Installation, words: Sequence[str]) -> list[str]:
    """Return the command line of systemd-run for a command of the active release."""
    name, manager = this.place.name, ("--user",) if this.place.of_user else ()
    lines = [line for line in this.units.kept(this.active) if not _OF_SERVICES.match(line)]
    # In a unit, `%` begins a specifier; here it does not.
    properties = [f"--property={line.replace('%%', '%')}" for line in lines]
    program = str(this.place.current / "bin" / name)
    title = f"--description={name}: a command of its operator"
    return [*_SYSTEMD_RUN, *manager, title, *properties, "--", program, *words]


def _terminal() -> dict[str, str]:
    return {"TERM": os.environ["TERM"]} if "TERM" in os.environ else {}
