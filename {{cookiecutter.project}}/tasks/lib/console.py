"""What a task says: one line per step, one closing block, one line per failure."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_UNITS = ((1024**2, "MB", 1), (1024, "kB", 0), (1, "bytes", 0))


class TaskError(Exception):
    """One line for the user about what went wrong; a task prints it and exits with its code."""

    exit_code = 1


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say that a step begins and, when it is done, how many seconds it took.

    A terminal sees the line while the step runs; a log gets it once, complete.
    """
    live = sys.stdout.isatty()
    if live:
        print(f"  … {title}", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        if live:
            print(f"\r  ✗ {title}")
        raise
    mark = "\r  ✓" if live else "  -"
    print(f"{mark} {title} ({time.monotonic() - start:.1f} s)", flush=True)


def closing(title: str, rows: Mapping[str, str]) -> None:
    """Print the block that ends a task: what, where, how big, how long, what next."""
    width = max(map(len, rows), default=0)
    print(f"\n{title}")
    for key, value in rows.items():
        print(f"  {key:<{width}}  {value}")


def size(path: Path) -> str:
    """Return a file's size in the unit that a person would choose."""
    count = path.stat().st_size
    factor, unit, digits = next(row for row in _UNITS if count >= row[0] or row[0] == 1)
    return f"{count / factor:.{digits}f} {unit}"
