"""Work in steps, each of which sees whether it is done: what was interrupted is run again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step, which leaves either nothing or all of what it makes."""

    title: str
    done: Callable[[], bool]
    do: Callable[[], object]


def carry_out(steps: Sequence[Step]) -> bool:
    """Do the steps that are not done yet, in their order; return whether there were any.

    A step that fails ends the work, and what was done before it stays.
    """
    fresh = False
    for number, step in enumerate(steps, 1):
        done = step.done()
        print(f"{number}/{len(steps)} {step.title}{': done already' * done}", flush=True)
        if not done:
            step.do()
        fresh |= not done
    return fresh


def plan(steps: Sequence[Step]) -> dict[str, str]:
    """Return for each step whether it is done or still to do, and change nothing."""
    return {
        f"{number}. {step.title}": "done" if step.done() else "to do"
        for number, step in enumerate(steps, 1)
    }
