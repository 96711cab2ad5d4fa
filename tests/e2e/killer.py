"""Kills `activate` at a chosen step, by commands on its PATH that count."""

from collections.abc import Callable, Iterable
from itertools import count

from .machine import Machine, Result

# What changes something, waits, or runs the program. A kill before one of these leaves what a kill
# at any moment since the one before it leaves: everything else only reads.
STEPS = ("mkdir", "flock", "rm", "cp", "chown", "chmod", "mv", "ln", "sync", "timeout", "systemctl",
         "useradd")  # fmt: skip
OUTLIVE = ("cp -R", "timeout")
"""How steps begin that take time: they go on when the run that began them is killed."""

BUNDLE_STEPS = (*STEPS, "mktemp", "sh", "tar")
BUNDLE_OUTLIVE = (*OUTLIVE, "sh", "tar")
"""The same of a bundle's scripts, which start others."""

KILLED = {-9, 137}  # as this process or a shell between says it

# Stands before the real command: kills the run at its turn, and then does as it was told or not.
_SHIM = """#!/bin/sh
case "{command} $*" in
"systemctl "*"show "* | *" is-active "*) PATH=$REAL_PATH exec {command} "$@" ;;
esac
turn=$(($(cat /shims/turn) + 1))
echo $turn >/shims/turn
echo "{command} $*" >>/shims/log
kill_now() {{
    kill -s KILL -- "$(cat /shims/pid)"
    [ -e /shims/outlive ] || exit 137
}}
case "$(cat /shims/at)" in
"$turn" | "{command} $*") kill_now ;;
esac
{real} "$@"
"""
_REAL = {"sh": "exec /bin/sh"}  # what it runs is watched too
_OTHERS_REAL = "PATH=$REAL_PATH exec {}"
_RUN = """
echo 0 >/shims/turn
: >/shims/log
export REAL_PATH=$PATH PATH=/shims:$PATH
echo {group}$$ >/shims/pid
exec {session} {activate}
"""


class Killer:
    """Runs `activate` in a machine and kills it on the way; as root, unless `sh` runs it.

    Only its own process is killed. With `group`, so is everything that it has started (but for what
    `timeout` runs, in a group of its own), unless the step is to outlive the run.
    """

    def __init__(
        self,
        machine: Machine,
        sh: Callable[..., Result] | None = None,
        *,
        steps: Iterable[str] = STEPS,
        group: bool = False,
    ) -> None:
        self.machine = machine
        self._sh = sh or machine.sh
        self._group = group
        folder = machine.path("/shims")
        folder.mkdir()
        folder.chmod(0o777)
        for command in steps:
            shim = folder / command
            real = _REAL.get(command, _OTHERS_REAL.format(command))
            shim.write_text(_SHIM.format(command=command, real=real))
            shim.chmod(0o755)

    def run(self, activate: str, at: int | str, *, outlive: bool = False) -> str | None:
        """Run that command line until the step of that number, or that very command.

        The step itself is not done, unless it is to `outlive` the run. Returns the step, None where
        the run ended before.
        """
        self.machine.path("/shims/at").write_text(f"{at}\n")
        flag = self.machine.path("/shims/outlive")
        flag.touch() if outlive else flag.unlink(missing_ok=True)
        group = self._group and not outlive
        how = {"group": "-", "session": "setsid"} if group else {"group": "", "session": ""}
        ended = self._sh(_RUN.format(activate=activate, **how), check=False)
        return self.steps()[-1] if ended.returncode in KILLED else None

    def steps(self) -> list[str]:
        """Return the steps of the last run."""
        return self.machine.read("/shims/log").splitlines()


Turn = tuple[int, bool]
"""A step's number, and whether the step outlives the run."""


def turns(steps: list[str], first: int = 1, outlive: tuple[str, ...] = OUTLIVE) -> list[Turn]:
    """Return every way to kill a run that makes these steps, from that one on."""
    ways = []
    for number, step in zip(count(1), steps, strict=False):
        if number >= first:
            ways.append((number, False))
            if step.startswith(outlive):
                ways.append((number, True))
    return ways
