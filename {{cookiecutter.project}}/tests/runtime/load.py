"""Callers that ask without pause while a test stops and starts the program."""

import contextlib
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException

from .process import PATIENCE

CLIENTS = 3


class Load:
    """Clients that ask without pause, and count what they get."""

    def __init__(self, address: tuple[str, int], *, keep_alive: bool) -> None:
        self.address, self.keep_alive = address, keep_alive
        self.answered, self.failed = 0, []  # type: int, list[str]
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(CLIENTS)]

    def ask(self) -> None:
        end = time.monotonic() + 5 * PATIENCE
        connection = HTTPConnection(*self.address, timeout=PATIENCE)
        while not self.done.is_set() and time.monotonic() < end:
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failed.append(str(response.status))
            except (OSError, HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            self.answered += 1
            if not self.keep_alive:
                connection.close()
        connection.close()


@contextlib.contextmanager
def under_load(address: tuple[str, int]) -> Iterator[list[Load]]:
    """Ask in new and in kept connections; in the end require that no request has failed."""
    loads = [Load(address, keep_alive=False), Load(address, keep_alive=True)]
    threads = [thread for load in loads for thread in load.threads]
    for thread in threads:
        thread.start()
    try:
        yield loads
    finally:  # a caller who goes on would reach whatever listens there next
        for load in loads:
            load.done.set()
        for thread in threads:
            thread.join()
    assert [load.failed for load in loads] == [[], []]


def enough(loads: list[Load]) -> int:
    """Wait until each load has got 100 more answers, and return the sum of all."""
    before = [load.answered for load in loads]
    end = time.monotonic() + PATIENCE
    while any(load.answered < n + 100 for load, n in zip(loads, before, strict=True)):
        assert time.monotonic() < end, "the load got no answers"
        time.sleep(0.01)
    return sum(load.answered for load in loads)
