"""The last day on which each Python gets security fixes."""

import datetime as dt
import sys

from .console import TaskError
from .interpreter import minor

# The last day of the month in which PEP 602's five years end, from each version's own schedule:
# PEPs 664, 693, 719 and 745.
LAST_DAYS = {
    "3.11": dt.date(2027, 10, 31),
    "3.12": dt.date(2028, 10, 31),
    "3.13": dt.date(2029, 10, 31),
    "3.14": dt.date(2030, 10, 31),
}


def check(version: str, today: dt.date, *, refuse: bool) -> None:
    """Warn of a Python (`3.13` or `3.13.2`) past its end of life; raise `TaskError` if `refuse`.

    A version that is not in the table passes.
    """
    last = LAST_DAYS.get(minor(version))
    if last is None or today <= last:
        return
    ended = f"Python {minor(version)} reached its end of life on {last}"
    text = f"{ended}: it gets no security fixes any more"
    if refuse:
        raise TaskError(f"{text} (deploy.end_of_life in invoke.yaml is 'refuse')")
    print(f"warning: {text}", file=sys.stderr)
