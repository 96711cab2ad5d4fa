"""Accept connections on a listening socket up to a limit, and answer 503 to the others."""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from .connection import Connection, refusal

AT_ONCE = 64
"""How many connections are accepted before the event loop does anything else."""
REFUSALS = 64
"""How many refused connections may stay open until their callers have read the answer. There is
at most one for eight allowed connections, because they need descriptors too."""
REFUSAL_SECONDS = 1.0
RETRY_SECONDS = 0.1
"""How long to pause when a connection cannot be accepted."""
BUSY = refusal(HTTPStatus.SERVICE_UNAVAILABLE, "retry-after: 1")
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

logger = logging.getLogger(__name__)


class Refusal(asyncio.Protocol):
    """Answer 503 to a caller above the limit, and read on until they have closed."""

    def __init__(self, refused: set["Refusal"]) -> None:
        self._refused = refused
        self._refused.add(self)
        self._end: asyncio.TimerHandle

    def connection_made(self, transport: Any) -> None:
        """Answer, and close our side."""
        self._end = asyncio.get_running_loop().call_later(REFUSAL_SECONDS, transport.abort)
        transport.write(BUSY)
        with contextlib.suppress(OSError):  # gone already: the next read will tell
            transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the caller."""
        self._refused.discard(self)
        self._end.cancel()


class Listener:
    """Accept the connections of a socket while fewer than `most` are open."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], Connection],
        connections: set[Any],
        most: int,
        *,
        turns: bool = False,
    ) -> None:
        self.sock = sock
        self.most = most
        self._turns = turns
        """Whether to take one caller at a time, so that other workers get some, too."""
        self._make, self._connections = make, connections
        self._arriving: set[asyncio.Task[Any]] = set()
        self._refused: set[Refusal] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._spare = _spare()
        """A descriptor to give up for a moment: without a free one, no caller can be refused."""

    def open(self) -> None:
        """Start to accept."""
        self.sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self.sock, self._accept)

    async def close(self) -> None:
        """Stop accepting, and wait until all that was accepted is connected.

        Callers in the kernel's queue are left to the other processes that hold the socket.
        """
        asyncio.get_running_loop().remove_reader(self.sock)
        if self._retry:
            self._retry.cancel()
        self._spare.close()
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _accept(self) -> None:
        for _ in range(1 if self._turns else AT_ONCE):
            try:
                accepted, _ = self.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._failed(error)
                return
            _send_at_once(accepted)
            self._admit(accepted)

    def _admit(self, accepted: socket.socket) -> None:
        if len(self._connections) + len(self._arriving) < self.most:
            self._connect(self._make(), accepted)
            return
        logger.warning("refused a connection: %d are open", self.most)
        if len(self._refused) < min(REFUSALS, self.most // 8):
            self._connect(Refusal(self._refused), accepted)
        else:
            _refuse(accepted)

    def _connect(self, protocol: asyncio.Protocol, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(lambda: protocol, accepted))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _failed(self, error: OSError) -> None:
        """Pause after `error`: the socket stays readable, so a retry at once would never end."""
        logger.warning("cannot accept: %s", str(error.strerror).lower())
        if error.errno in _EXHAUSTED:
            self._refuse_waiting()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.sock)
        self._retry = loop.call_later(RETRY_SECONDS, self.open)

    def _refuse_waiting(self) -> None:
        self._spare.close()
        with contextlib.suppress(OSError):
            for _ in range(AT_ONCE):
                accepted, _ = self.sock.accept()
                _refuse(accepted)
        with contextlib.suppress(OSError):
            self._spare = _spare()


def _spare() -> BinaryIO:
    return Path(os.devnull).open("rb")


def _send_at_once(sock: socket.socket) -> None:
    """Let the kernel not wait for a whole packet, or callers get the end of an answer 40 ms late.

    asyncio does that only for sockets that say their protocol, which those of `bound` do not.
    """
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        with contextlib.suppress(OSError):  # the caller has gone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _refuse(accepted: socket.socket) -> None:
    """Answer 503 without waiting for anything, and close."""
    with accepted, contextlib.suppress(OSError):
        accepted.setblocking(False)
        accepted.send(BUSY)
        accepted.shutdown(socket.SHUT_WR)
        accepted.recv(65536)
