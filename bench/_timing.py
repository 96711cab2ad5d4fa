"""Times actions in turn and prints a small table."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def run(command: Sequence[str | Path], cwd: Path, **variables: str) -> None:
    """Run a command that must succeed, with more environment `variables`."""
    environment = {**os.environ, **variables}
    # Without bytecode every start would compile what it imports, which no user's start does.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Else pipenv would take the session's own environment for the project's.
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def compare(title: str, actions: Mapping[str, Callable[[int], object]], *, rounds: int) -> None:
    """Time the actions in turn, and print a line for each that compares it with the first.

    An action gets the number of its round, and runs once before it is timed. If it returns
    something callable, that is called after the clock has stopped.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(-1, rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            tidy_up = action(number)
            if number >= 0:
                taken[name].append(time.perf_counter() - start)
            if callable(tidy_up):
                tidy_up()
    width = max(map(len, actions))
    base = statistics.median(next(iter(taken.values())))
    print(f"{title}, {rounds} rounds\n{'':{width}}  median    min    max  ratio")
    for name, times in taken.items():
        middle = statistics.median(times)
        spread = f"{middle:5.2f} s {min(times):5.2f}s {max(times):5.2f}s"
        print(f"{name:{width}}  {spread}  {middle / base:5.2f}")
