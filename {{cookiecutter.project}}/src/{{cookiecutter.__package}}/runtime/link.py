"""The line between a worker, which serves, and its parent, which talks to systemd for all."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping

from .notify import SEND_SECONDS, Notifier

Action = Callable[[], None]

HEALTH, ACCEPT = b"H", b"A"
"""What the parent orders: serve on the health socket; accept on the public ones."""


class Link(Notifier):
    """A worker's end of the line: it takes the messages that are meant for systemd."""

    def __init__(self, sock: socket.socket, watchdog_seconds: float) -> None:
        super().__init__(watchdog_seconds=watchdog_seconds)
        self._sock = sock
        sock.settimeout(SEND_SECONDS)

    def send(self, *lines: str) -> None:
        """Send `lines` to the parent; ignore one that is gone, as `obey` finds out."""
        with contextlib.suppress(OSError):
            self._sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def obey(self, orders: Mapping[bytes, Action], orphaned: Action) -> None:
        """Carry out the parent's orders from now on; call `orphaned` when it is gone."""
        loop = asyncio.get_running_loop()

        def read() -> None:
            received = self._sock.recv(100)
            for order in received:
                orders[bytes([order])]()
            if not received:
                loop.remove_reader(self._sock)
                orphaned()

        loop.add_reader(self._sock, read)
