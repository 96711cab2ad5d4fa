"""Callers who ask a server on loopback: some without a pause, some slow, some who never finish."""

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

PATIENCE = 10.0
"""Seconds after which a request without an answer has failed."""
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@dataclass
class Seen:
    """What the callers saw; each adds to its own, and they are summed up in the end."""

    requests: int = 0
    failed: int = 0
    resets: int = 0
    longest: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Seen") -> "Seen":
        """Return both together."""
        return Seen(
            self.requests + other.requests,
            self.failed + other.failed,
            self.resets + other.resets,
            max(self.longest, other.longest),
            self.reasons + other.reasons,
        )

    def fail(self, error: Exception | str) -> None:
        """Count a request that got no answer, or a wrong one."""
        self.failed += 1
        self.resets += isinstance(error, ConnectionError)  # the server gave no answer at all
        self.reasons[error if isinstance(error, str) else type(error).__name__] += 1


_Ask = Callable[[Seen, float, random.Random], None]


class Callers:
    """A number of callers of each kind."""

    def __init__(self, port: int, *, busy: int, thinking: int, slow: int, half_open: int) -> None:
        self._address = ("127.0.0.1", port)
        self._done = threading.Event()
        self._seen: list[Seen] = []
        self._half_open = half_open
        self._threads = [
            *(self._thread(self._keep_alive, 0.1, number) for number in range(busy)),
            *(self._thread(self._keep_alive, 1.5, number) for number in range(thinking)),
            *(self._thread(self._slow, 0.3, number) for number in range(slow)),
        ]

    def _thread(self, ask: _Ask, pause: float, number: int) -> threading.Thread:
        self._seen.append(Seen())
        dice = random.Random(number)  # noqa: S311  # nosec B311
        return threading.Thread(target=ask, args=(self._seen[-1], pause, dice))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let them ask for as long as the block takes."""
        held = [self._begin() for _ in range(self._half_open)]
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            for thread in self._threads:
                thread.join()
            for connection in held:
                connection.close()

    def seen(self) -> Seen:
        """Return what all of them saw together."""
        return sum(self._seen, Seen())

    def longest(self) -> float:
        """Return the longest wait since the last call of this."""
        found = self.seen().longest
        for seen in self._seen:
            seen.longest = 0.0
        return found

    def _begin(self) -> socket.socket:
        connection = socket.create_connection(self._address, PATIENCE)
        connection.sendall(HEAD)
        return connection

    def _keep_alive(self, seen: Seen, pause: float, dice: random.Random) -> None:
        """Ask on one connection, and never look whether the server has closed it.

        Open a new one where the server has announced to close it.
        """
        connection = HTTPConnection(*self._address, timeout=PATIENCE)
        while not self._done.wait(dice.uniform(0, pause)):
            began = time.monotonic()
            seen.requests += 1
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status != HTTPStatus.OK:
                    seen.fail(f"status {response.status}")
            except (OSError, HTTPException) as error:
                seen.fail(error)
                connection.close()
            seen.longest = max(seen.longest, time.monotonic() - began)
        connection.close()

    def _slow(self, seen: Seen, pause: float, dice: random.Random) -> None:
        """Send a request in pieces, on a new connection each time."""
        while not self._done.wait(dice.uniform(0, pause)):
            seen.requests += 1
            try:
                with self._begin() as connection:
                    time.sleep(pause)
                    connection.sendall(b"X-Slow: yes\r\n")
                    time.sleep(pause)
                    connection.sendall(b"Connection: close\r\n\r\n")
                    answer = connection.recv(1000)
                    with suppress(OSError):
                        connection.recv(1)
                if not answer.startswith(b"HTTP/1.1 200"):
                    seen.fail("no answer" if not answer else "wrong answer")
            except OSError as error:
                seen.fail(error)
