"""Keep identical log lines from filling the disk: some are written, the rest are counted."""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST = 10
"""How many identical lines are written within one window."""
WINDOW_SECONDS = 10.0
KEPT = 1000
"""How many different lines are remembered: callers who vary them must not fill the memory."""

_Key = tuple[str, int, str]


@dataclass
class _Window:
    began: float
    seen: int = 0


class Flood(logging.Filter):
    """Pass the first `FIRST` identical lines of a window; one more line counts the others.

    Lines are identical when logger, level and message are. All lines of the loggers in `exempt`
    pass, because each of them accounts for one event.
    """

    def __init__(
        self,
        write: Callable[[logging.LogRecord], object],
        exempt: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._write, self._exempt, self._clock = write, exempt, clock
        self._windows: dict[_Key, _Window] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write `record`."""
        if record.name in self._exempt:
            return True
        key = (record.name, record.levelno, record.getMessage())
        self.report()
        with self._lock:
            if key not in self._windows and len(self._windows) >= KEPT:
                return True  # so many different lines are not a flood of identical ones
            window = self._windows.setdefault(key, _Window(self._clock()))
            window.seen += 1
            return window.seen <= FIRST

    def report(self, *, everything: bool = False) -> None:
        """Write how many lines were left out in each window that is over, or in every window."""
        with self._lock:
            ended = self._ended(math.inf if everything else self._clock() - WINDOW_SECONDS)
        for (name, level, message), window in ended:
            if (more := window.seen - FIRST) > 0:
                text = "%d more lines like this were left out: %s"
                self._write(logging.LogRecord(name, level, "", 0, text, (more, message), None))

    def _ended(self, at: float) -> list[tuple[_Key, _Window]]:
        """Remove and return the windows that began by `at`; they are in order of beginning."""
        ended = list(itertools.takewhile(lambda item: item[1].began <= at, self._windows.items()))
        for key, _ in ended:
            del self._windows[key]
        return ended
