"""The functions that these tests run as workers."""

import logging
import os
import sys
import threading
import time
from typing import Any

logger = logging.getLogger("workers")


def steady(stop: Any) -> None:
    """Wait until told to stop."""
    logger.info("at work")
    stop.wait()


def finishing(stop: Any) -> None:
    """Finish the job in hand, which takes a moment longer than a heartbeat may be old."""
    while not stop.is_set():
        logger.info("at work")
        time.sleep(1.5)
        logger.info("job done")


def beating(stop: Any) -> None:
    """Take long for a job, and tell that it goes on."""
    for _ in range(40):
        stop.beat()
        time.sleep(0.1)
    stop.wait()


def hanging(stop: Any) -> None:
    """Begin, and hang."""
    stop.beat()
    logger.info("at work")
    time.sleep(1000)


def mute(_: Any) -> None:
    """Never give a heartbeat."""
    logger.info("at work")
    time.sleep(1000)


def raising(_: Any) -> None:
    """Fail at once."""
    raise LookupError("no\nqueue")


def exiting(stop: Any) -> None:
    """Exit by itself."""
    stop.beat()
    sys.exit(0)


def returning(stop: Any) -> None:
    """Return too early."""
    stop.beat()


def failing_late(stop: Any) -> None:
    """Fail while it stops."""
    stop.wait()
    raise OSError("no room for the result")


def with_threads(stop: Any) -> None:
    """Leave a thread that does not end."""
    threading.Thread(target=time.sleep, args=[1000]).start()
    stop.wait()


def lean(stop: Any) -> None:
    """Say what was imported that starts slowly."""
    heavy = {"prometheus_client", "asyncio"} & set(sys.modules)
    logger.info("imported: %s", sorted(heavy))
    logger.info("told: %s", sorted({"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys()))
    stop.wait()
