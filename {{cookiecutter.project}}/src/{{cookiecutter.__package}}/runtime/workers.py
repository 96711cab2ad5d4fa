"""Several processes that serve on the same sockets, and their parent, which watches them.

The parent serves nothing itself. It starts one worker, then, when that is ready, the others; lets
all of them accept at once; starts another where one ends or hangs; and ends with an error when that
happens too often, so that systemd and a trial get to know of it.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from . import sockets
from .link import ACCEPT, HEALTH, Link
from .notify import Notifier
from .shared_metrics import Folder

SETTLING_SECONDS = 60.0
"""How long after the start no worker may end. A release is on trial then, see docs/hosts.md."""
ENDS = 5
"""How many workers may end unexpectedly within `WINDOW_SECONDS`; with one more, all end."""
WINDOW_SECONDS = 60.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What the workers are to do."""

    number: int
    listening: list[socket.socket]
    """The public sockets."""
    shared: bool = False
    """Other processes may accept on them too, because systemd holds them."""
    hold: bool = False
    """Accept nobody on them until SIGUSR1."""
    health: socket.socket | None = None
    notifier: Notifier = field(default_factory=Notifier)


@dataclass
class Worker:
    """A worker, as its parent knows it."""

    pid: int
    line: socket.socket
    heard: float
    """When it last gave a sign of life."""
    status: str = ""
    """What it says of itself: nothing until it is ready, then ``held`` or ``accepting``."""
    told: bytes = b""
    """The orders that it got."""


class Parent:
    """The process that starts the workers and watches them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._accepting = not plan.hold
        self._workers: dict[int, Worker] = {}
        self._ends: deque[float] = deque()
        self._started: float | None = None
        """When all workers were ready for the first time."""
        self._stopping = False
        self._announced = ""
        self._code = 0
        self._metrics = Folder()
        self._selector = selectors.DefaultSelector()
        self._signalled, self._wakeup = socket.socketpair()
        self._beat = 0.0

    def run(self) -> Link:
        """Start the workers and watch them until they end.

        Return in each worker, where the caller goes on to serve. The parent exits instead.
        """
        for sock in (self._signalled, self._wakeup):
            sock.setblocking(False)
        self._selector.register(self._signalled, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)  # what matters is its byte at `_signalled`
        while not (self._stopping and not self._workers):
            if link := self._start_missing():
                return link
            self._wait()
            self._watch()
        return self._end()

    # --- the start of workers -------------------------------------------------------------------

    def _start_missing(self) -> Link | None:
        """Start what is missing; return the line to the parent in a process that is new."""
        is_proved = self._started or any(worker.status for worker in self._workers.values())
        wanted = self._plan.number if is_proved else 1
        while not self._stopping and len(self._workers) < wanted:
            if link := self._start_one():
                return link
        return None

    def _start_one(self) -> Link | None:
        ours, theirs = socket.socketpair()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # else the child may take the parent's
        pid = os.fork()
        if not pid:
            ours.close()
            self._become_worker()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if not pid:
            return Link(theirs, self._plan.notifier.watchdog_seconds)
        theirs.close()
        ours.setblocking(False)
        worker = self._workers[pid] = Worker(pid, ours, time.monotonic())
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return None

    def _become_worker(self) -> None:
        """Let go of what is the parent's: while anyone holds a line, its end is not seen."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # for the parent, if all of a group got it
        self._selector.close()
        lines = [worker.line for worker in self._workers.values()]
        for sock in (self._signalled, self._wakeup, *lines):
            sock.close()

    # --- what happens ---------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for the next event, and deal with it."""
        watchdog = self._plan.notifier.watchdog_seconds
        for key, _ in self._selector.select(watchdog / 4 if watchdog else None):
            if key.data is None:
                self._obey(self._signalled.recv(1000))
            else:
                self._hear(key.data)

    def _obey(self, signals: bytes) -> None:
        for number in signals:
            if number == signal.SIGUSR1:
                self._accepting = True
                self._progress()
            elif number in {signal.SIGTERM, signal.SIGINT}:
                self._stop(number)
        self._reap()

    def _hear(self, worker: Worker) -> None:
        received = b""
        with contextlib.suppress(OSError):
            received = worker.line.recv(10_000)
        if not received:  # it has ended, or is about to
            self._selector.unregister(worker.line)
            return
        worker.heard = time.monotonic()
        for line in received.decode().splitlines():
            if line.startswith("STATUS="):
                worker.status = line.removeprefix("STATUS=")
        self._progress()

    def _reap(self) -> None:
        """Take note of every worker that has ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if worker := self._workers.pop(pid, None):
                    self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.line)
        worker.line.close()
        self._metrics.forget(worker.pid)
        if not self._stopping:
            self._judge(code, f"status {code}" if code >= 0 else f"signal {-code}")

    def _judge(self, code: int, how: str) -> None:
        """Let another worker take the place of one that ended unexpectedly, or give up."""
        now = time.monotonic()
        self._ends.append(now)
        while self._ends[0] < now - WINDOW_SECONDS:
            self._ends.popleft()
        if self._started is None:  # a worker that ends with a status has said why
            logger.log(logging.DEBUG if code > 0 else logging.ERROR, "a worker ended with %s", how)
        elif now - self._started < SETTLING_SECONDS:
            logger.error("a worker ended with %s soon after the start: giving up", how)
        elif len(self._ends) > ENDS:
            logger.error("too many workers ended, the last one with %s: giving up", how)
        else:
            logger.warning("a worker ended with %s: starting another", how)
            return
        self._code = max(code, 1)
        self._begin_stop()

    # --- what follows ---------------------------------------------------------------------------

    def _progress(self) -> None:
        """Let workers go on, and report what they have reached."""
        if self._stopping:
            return
        states = [worker.status for worker in self._workers.values()]
        are_ready = len(states) == self._plan.number and all(states)
        if are_ready and self._started is None:
            self._started = time.monotonic()
        if self._started is None:
            return
        for worker in self._workers.values():
            if worker.status:
                self._order(worker)
        status = "accepting" if self._accepting else "held"
        if are_ready and {status} == set(states) and status != self._announced:
            self._announce(status)

    def _order(self, worker: Worker) -> None:
        orders = HEALTH + ACCEPT if self._accepting else HEALTH
        with contextlib.suppress(OSError):
            worker.line.send(orders.removeprefix(worker.told))
        worker.told = orders

    def _announce(self, status: str) -> None:
        first = [] if self._announced else ["READY=1"]
        self._announced = status
        if status == "held":
            logger.info("held: accepting nobody until SIGUSR1")
        else:
            names = ", ".join(sockets.name(each) for each in self._plan.listening)
            logger.info("%d workers accept callers", self._plan.number)
            logger.info("listening on %s", names)
        self._plan.notifier.send(*first, f"STATUS={status}")

    def _watch(self) -> None:
        """Tell systemd that the parent is alive, and kill a worker that is not."""
        seconds, now = self._plan.notifier.watchdog_seconds, time.monotonic()
        if not seconds:
            return
        if now - self._beat >= seconds / 2:
            self._beat = now
            self._plan.notifier.send("WATCHDOG=1")
        for worker in self._workers.values():
            if worker.status and now - worker.heard > seconds:
                logger.error("a worker gave no sign of life for %.0f s: killing it", seconds)
                worker.heard = now
                os.kill(worker.pid, signal.SIGKILL)

    def _stop(self, number: int) -> None:
        """Stop the workers; a second Ctrl-C lets them skip the grace period."""
        if not self._stopping:
            self._begin_stop()
        elif number == signal.SIGINT:
            self._tell_all(number)

    def _begin_stop(self) -> None:
        self._stopping = True
        if self._announced:
            logger.info("stopping")
        self._plan.notifier.send("STOPPING=1", "STATUS=stopping")
        self._tell_all(signal.SIGTERM)
        if not self._plan.shared:
            for sock in self._plan.listening:
                sock.close()

    def _tell_all(self, number: int) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end(self) -> NoReturn:
        """End the parent, after all workers."""
        if self._plan.health:
            Path(self._plan.health.getsockname()).unlink(missing_ok=True)
        self._metrics.remove()
        if self._announced:
            logger.info("stopped")
        raise SystemExit(self._code)
