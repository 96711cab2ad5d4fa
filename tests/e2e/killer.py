"""Kills the engine at a chosen step: at a call to the system, which is then not made.

The steps are what changes something or waits: files written, renamed and removed, and commands
begun and waited for. strace counts them; what the engine has started goes on when it is killed.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.soak import SOAK, dice

from .machine import Machine, Result
from .service import eventually

FILES = ("fsync", "rename", "rmdir", "symlink", "sync", "unlink", "unlinkat")
COPIES = ("link", "linkat", "mkdir")
"""A copied tree makes one of these after the other, all alike."""
COMMANDS = ("clone", "clone3", "poll", "vfork")
"""Begin another program, and wait for it: a kill at the wait lets it go on."""
KILLED = {-9, 137}  # as this process or a shell between says it

_CALL = re.compile(r"(\w+)\((.*)")


@dataclass(frozen=True)
class Step:
    """One call to the system."""

    call: str
    number: int
    """Of this call among those of its name, from 1."""
    text: str
    """As strace shows it."""

    def __str__(self) -> str:
        """Return it as it is told to whoever reads of a failure."""
        return f"{self.number}. {self.text}"


class Killer:
    """Runs command lines of the engine in a machine, and kills them.

    They run as root, unless `become` holds the words of a command that makes another user of it.
    """

    def __init__(self, machine: Machine, become: Sequence[str] = ()) -> None:
        self.machine = machine
        self._become = tuple(become)
        self._trace = "/var/tmp/.steps"

    def steps(self, command: str) -> list[Step]:
        """Run a command line to its end, and return the steps that it has made."""
        self._run(command)
        return self._steps()

    def kill(self, command: str, step: Step) -> Step | None:
        """Run a command line until it is about to make that step; None where it has ended before.

        Returns the step: the one in whose place it was, should the run have been another way.
        """
        ended = self._run(command, f"-e inject={step.call}:signal=SIGKILL:when={step.number}")
        return self._steps()[-1] if ended.returncode in KILLED else None

    def stop(self, command: str, step: Step) -> subprocess.Popen[str]:
        """Run a command line until it has made that step, where it stands still from then on."""
        how = f"-e inject={step.call}:signal=SIGSTOP:when={step.number}"
        run = self.machine.background(*self._shell(command, how))

        def is_there() -> bool:
            made = self._steps() if self.machine.path(self._trace).exists() else []
            return len([each for each in made if each.call == step.call]) == step.number

        eventually(is_there, f"it comes to {step}")
        return run

    def _shell(self, command: str, how: str) -> tuple[str, ...]:
        calls = ",".join(FILES + COPIES + COMMANDS)
        self.machine.run("rm", "-f", self._trace)
        strace = f"strace -qqq -e signal=none -s 200 -e trace={calls} {how} -o {self._trace}"
        return (*self._become, "sh", "-c", f"exec {strace} {command}")

    def _run(self, command: str, how: str = "") -> Result:
        return self.machine.run(*self._shell(command, how), check=False)

    def _steps(self) -> list[Step]:
        counted: Counter[str] = Counter()
        steps = []
        for line in self.machine.read(self._trace).splitlines():
            if found := _CALL.match(line):
                counted[found[1]] += 1
                steps.append(Step(found[1], counted[found[1]], line))
        return steps


def sample(steps: list[Step], most: int, about: str) -> list[Step]:
    """Return a sample of the steps, in their order, or all of them.

    Of those that copy a tree there is one, and of the others as many with files as with commands.
    """
    kinds = [[step for step in steps if step.call in calls] for calls in (COPIES, FILES, COMMANDS)]
    if SOAK:
        return kinds[0][::50] + kinds[1] + kinds[2]
    chance = dice(about)
    chosen: list[Step] = []
    for kind, number in zip(kinds, (1, most // 2, (most - 1) // 2), strict=True):
        chosen += chance.sample(kind, min(number, len(kind)))
    return [step for step in steps if step in chosen]
