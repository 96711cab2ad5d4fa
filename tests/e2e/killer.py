"""Kills the engine at a chosen step: a system call, which is then not made.

Steps are the calls that change something or wait: they write, rename or remove a file, or start a
command or wait for it. strace counts them. The commands that a killed engine has started go on.
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
"""Copying a tree makes many of these calls, all alike."""
COMMANDS = ("clone", "clone3", "poll", "vfork")
"""They start another program and wait for it, which goes on after a kill at the wait."""
KILLED = {-9, 137}  # as this process or a shell in between reports it

_CALL = re.compile(r"(\w+)\((.*)")


@dataclass(frozen=True)
class Step:
    """One system call."""

    call: str
    number: int
    """The number of this call among those of its name, from 1."""
    text: str
    """The call as strace shows it."""

    def __str__(self) -> str:
        """Return the step as failure messages show it."""
        return f"{self.number}. {self.text}"


class Killer:
    """Runs command lines of the engine in a machine, and kills them.

    They run as root, or by the command `become`, which changes to another user.
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
        """Run a command line until it is about to make a step, and kill it there.

        Returns the step at which it was killed, which differs from `step` where this run took
        another way; None where the run ended before.
        """
        ended = self._run(command, f"-e inject={step.call}:signal=SIGKILL:when={step.number}")
        return self._steps()[-1] if ended.returncode in KILLED else None

    def stop(self, command: str, step: Step) -> subprocess.Popen[str]:
        """Run a command line until it has made a step, and suspend it there."""
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

    The sample has one step that copies a tree, and of the others as many with files as with
    commands.
    """
    kinds = [[step for step in steps if step.call in calls] for calls in (COPIES, FILES, COMMANDS)]
    if SOAK:
        return kinds[0][::50] + kinds[1] + kinds[2]
    chance = dice(about)
    chosen: list[Step] = []
    for kind, number in zip(kinds, (1, most // 2, (most - 1) // 2), strict=True):
        chosen += chance.sample(kind, min(number, len(kind)))
    return [step for step in steps if step in chosen]
