"""How many connections may be open, and for how long a caller may keep one waiting."""

import logging
import math
from dataclasses import dataclass, replace

ROOM = 200
"""File descriptors kept for the program itself: its files, its own connections, its refusals."""
CROWDED = 0.75
"""The share of the allowed connections from which on waiting callers get less time."""
HEALTH_CONNECTIONS = 16
"""How many connections the health socket allows, in addition to those of the public sockets."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How many seconds a caller may keep a connection waiting before we close it."""

    head: float
    """Until the head of a request is complete."""
    stall: float
    """Between two signs of progress in sending a body or taking an answer."""
    linger: float = 2.0
    """Until the caller closes their side, after we closed ours."""
    idle: float = math.inf
    """Without a request, after an answer."""
    pause: float = math.inf
    """Between two bytes of a request's head."""
    since: float = 0.0
    """The earliest time from which `idle` and `pause` count, on the event loop's clock."""

    def in_a_crowd(self) -> "Patience":
        """Return the shorter times that apply when few connections are left."""
        return replace(
            self,
            head=min(self.head, 2.0),
            idle=min(self.idle, 5.0),
            linger=min(self.linger, 0.5),
        )


def connections(wanted: int, descriptors: int | None) -> int:
    """Return how many connections may be open: `wanted`, or as many as `descriptors` allow."""
    if descriptors is None:
        return wanted
    allowed = descriptors - min(ROOM, descriptors // 2)
    if allowed < wanted:
        logger.warning(
            "at most %d connections instead of %d: only %d file descriptors are allowed",
            allowed,
            wanted,
            descriptors,
        )
    return min(wanted, allowed)


def descriptors() -> int | None:
    """Return how many files this process may have open: None where nothing limits them."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
