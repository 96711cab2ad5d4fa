"""Know whether a worker is alive: each call of what it was given to wait on is a heartbeat."""

import math
import threading
import time
from collections.abc import Callable

STARTING, HELD, READY, UNREADY, STOPPING = "starting", "held", "ready", "not ready", "stopping"


class Heart:
    """Whether a worker is alive, and whether it was told to stop."""

    def __init__(self, seconds: float, on_first: Callable[[], object] = lambda: None) -> None:
        self.seconds = seconds
        """How old the last heartbeat may be."""
        self.told = threading.Event()
        """Set once the worker is to stop."""
        self.is_held = False
        """Whether the worker has not been started yet, on purpose."""
        self._on_first = on_first
        self._last = -math.inf

    @property
    def age(self) -> float:
        """How many seconds ago the last heartbeat was; infinite before the first one."""
        return time.monotonic() - self._last

    @property
    def is_well(self) -> bool:
        """Whether the last heartbeat is recent enough; none is expected of a held worker."""
        return self.is_held or self.age <= self.seconds

    def beat(self) -> None:
        """Note a heartbeat."""
        is_first, self._last = math.isinf(self._last), time.monotonic()
        if is_first:
            self._on_first()

    def report(self) -> dict[str, str]:
        """Return the ``status``, and where the worker is not ready, the ``reason``."""
        if self.told.is_set():
            return {"status": STOPPING}
        if self.is_held:
            return {"status": HELD}
        if self.is_well:
            return {"status": READY}
        if math.isinf(self.age):
            return {"status": STARTING, "reason": "no heartbeat yet"}
        return {"status": UNREADY, "reason": f"no heartbeat for {self.age:.0f} s"}


class Stop:
    """What a worker is called with. Every call of a method is a heartbeat."""

    def __init__(self, heart: Heart) -> None:
        self._heart = heart

    def is_set(self) -> bool:
        """Return whether the worker is to stop."""
        self._heart.beat()
        return self._heart.told.is_set()

    def wait(self, seconds: float = math.inf) -> bool:
        """Wait for so many seconds, or until the worker is to stop; return whether it is."""
        end = time.monotonic() + seconds
        while not self.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._heart.told.wait(min(left, self._heart.seconds / 2))
        return True

    def beat(self) -> None:
        """Tell that a long job goes on."""
        self._heart.beat()
