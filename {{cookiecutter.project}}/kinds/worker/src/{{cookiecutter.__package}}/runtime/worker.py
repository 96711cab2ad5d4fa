"""Run a worker until it is told to stop, and tell systemd how it is.

The worker's function runs in a thread of its own, so that a job that takes long, or hangs, cannot
keep the process from answering health checks and from ending.
"""

import contextlib
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from . import facts, health_socket, logs, notify, program, release
from .heart import Heart, Stop
from .settings import Settings

SIGNALS = {"SIGTERM": "stop", "SIGINT": "interrupt", "SIGUSR1": "begin"}
"""What each signal asks for. Windows does not know all of them."""
TICK_SECONDS = 1.0
RETURNED = "returned before it was told to stop"

logger = logging.getLogger(__name__)


def work(described: facts.Facts, settings: Settings, *, hold: bool) -> int:
    """Run the worker that `described` names, and return the exit code.

    If `hold` is set, wait for SIGUSR1 first. Raise ProgramError if there is no such worker, and
    SocketError if the health socket cannot be opened.
    """
    notifier = notify.from_systemd(os.environ)
    listening = health_socket.listen(os.environ)
    this = release.current()
    logs.configure(settings.log_level, this.release)  # the program may log while it is imported
    worker = Worker(program.find(described), described.heartbeat_seconds, settings, notifier)
    if not listening:
        return worker.run(hold=hold)
    from .health import Health  # not on Windows, where nothing asks

    health = Health(listening, worker.heart, this)
    health.start()
    try:
        return worker.run(hold=hold)
    finally:
        health.stop()


class Worker:
    """A worker's life, from its start to its end."""

    def __init__(
        self,
        run: Callable[[Stop], Any],
        heartbeat_seconds: float,
        settings: Settings,
        notifier: notify.Notifier,
    ) -> None:
        self.heart = Heart(heartbeat_seconds, lambda: self._events.put("alive"))
        self._run = run
        self._settings = settings
        self._notifier = notifier
        # its put() may interrupt itself, as signals do
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._call, name="worker", daemon=True)
        self._error: BaseException | None = None
        self._code: int | None = None
        self._until = 0.0
        self._next_sign = 0.0

    def run(self, *, hold: bool) -> int:
        """Run until the worker has ended, or its grace is over; return the exit code."""
        for name, event in SIGNALS.items():
            if number := getattr(signal, name, None):
                signal.signal(number, self._passing(event))
        self.heart.is_held = hold
        if hold:
            logger.info("held: not working until SIGUSR1")
            self._notifier.send("READY=1", "STATUS=held")
        else:
            self._begin()
        acts = {
            "begin": self._begin,
            "alive": self._alive,
            "stop": self._stop,
            "interrupt": self._interrupt,
            "ended": self._ended,
        }
        while self._code is None:
            with contextlib.suppress(queue.Empty):
                acts[self._events.get(timeout=self._pause())]()
            self._tick()
        logs.report(everything=True)
        return self._code

    def _passing(self, event: str) -> Callable[..., None]:
        return lambda *_: self._events.put(event)

    def _pause(self) -> float:
        watchdog = self._notifier.watchdog_seconds
        pause = min(TICK_SECONDS, watchdog / 4) if watchdog else TICK_SECONDS
        left = self._until - time.monotonic() if self.heart.told.is_set() else pause
        return max(min(pause, left), 0.0)

    def _tick(self) -> None:
        logs.report()
        now = time.monotonic()
        if self._code is None and self.heart.told.is_set() and now >= self._until:
            logger.error("given up: the job in hand did not end within the grace period")
            self._code = 1
        elif now >= self._next_sign and self.heart.is_well and self._notifier.watchdog_seconds:
            self._notifier.send("WATCHDOG=1")
            self._next_sign = now + self._notifier.watchdog_seconds / 2

    def _call(self) -> None:
        try:
            self._run(Stop(self.heart))
        except BaseException as error:  # it may also call sys.exit()
            self._error = error
        self._events.put("ended")

    def _begin(self) -> None:
        if not (self._thread.ident or self.heart.told.is_set()):
            self.heart.is_held = False
            logger.info("begun")
            self._notifier.send("STATUS=starting")
            self._thread.start()

    def _alive(self) -> None:
        if not self.heart.told.is_set():
            self._notifier.send("READY=1", "STATUS=working")

    def _interrupt(self) -> None:
        if self.heart.told.is_set():  # a second Ctrl-C skips the grace period
            self._until = time.monotonic()
        self._stop()

    def _stop(self) -> None:
        if self.heart.told.is_set():
            return
        logger.info("stopping")
        self._notifier.send("STOPPING=1", "STATUS=stopping")
        self._until = time.monotonic() + self._settings.grace_seconds
        self.heart.told.set()
        if not self._thread.ident:
            self._end(0)

    def _ended(self) -> None:
        error = self._error
        if error:
            logger.critical("the worker failed: %s", _said(error), exc_info=error)
            self._end(1)
        elif self.heart.told.is_set():
            self._end(0)
        else:
            logger.critical("the worker failed: %s", RETURNED)
            self._end(1)

    def _end(self, code: int) -> None:
        self._code = code
        if not code:
            logger.info("stopped")


def _said(error: BaseException) -> str:
    return ": ".join(filter(None, [type(error).__name__, " ".join(str(error).split())]))
