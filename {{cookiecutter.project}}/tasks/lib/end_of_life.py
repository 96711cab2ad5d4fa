"""How long each Python gets fixes, in the yearly cycle of PEP 602."""

import datetime as dt
import sys
from dataclasses import dataclass

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

_WHOLE_CYCLE = 60
"""Months from the October of a version's release to the end of its fixes."""
_TWO_YEARS_SINCE = (3, 13)
"""The first version that gets all kinds of fixes for 24 months; those before get them for 18."""


@dataclass(frozen=True)
class Phase:
    """Where a Python is in its cycle."""

    name: str
    """`development`, `bugfix`, `security` or `end of life`."""
    until: dt.date
    """The last day of the phase; of `end of life`, the last day before it."""


def phase(version: str, today: dt.date) -> Phase | None:
    """Return the phase of a Python such as `3.13`; None for one that is not in the table."""
    last = LAST_DAYS.get(minor(version))
    if last is None:
        return None
    number = tuple(int(part) for part in minor(version).split("."))
    fixed = 24 if number >= _TWO_YEARS_SINCE else 18
    if today <= _before(last, _WHOLE_CYCLE + 1):
        return Phase("development", _before(last, _WHOLE_CYCLE + 1))
    if today <= _before(last, _WHOLE_CYCLE - fixed):
        return Phase("bugfix", _before(last, _WHOLE_CYCLE - fixed))
    return Phase("security" if today <= last else "end of life", last)


def _before(last: dt.date, months: int) -> dt.date:
    """Return the last day of the month that lies some months before the month of `last`."""
    following = last.year * 12 + last.month - months  # counted from 0, so this is one month later
    return dt.date(following // 12, following % 12 + 1, 1) - dt.timedelta(days=1)


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
