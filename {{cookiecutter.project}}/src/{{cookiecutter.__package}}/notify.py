"""Tell systemd how the service is, as sd_notify(3) does. Standard library only."""

import asyncio
import contextlib
import os
import socket
from collections.abc import MutableMapping

SEND_SECONDS = 1.0
"""How long a message may wait for room in systemd's queue; then it is dropped."""


class Notifier:
    """Sends messages to the service manager that started this very process, where there is one."""

    def __init__(self, address: str = "", watchdog_seconds: float = 0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds
        """How long the manager waits for a sign of life; 0 where it does not ask for one."""

    def send(self, *lines: str) -> None:
        """Send ``READY=1`` and the like, as one message. A manager that is gone is no error."""
        if not self._address.startswith(("/", "\0")):
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        ):
            sock.settimeout(SEND_SECONDS)
            sock.sendto("\n".join(lines).encode(), self._address)

    async def stay_alive(self) -> None:
        """Send a sign of life twice as often as asked for, for as long as the event loop turns."""
        while self.watchdog_seconds:
            self.send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / 2)


def from_systemd(environ: MutableMapping[str, str]) -> Notifier:
    """Return the way to the manager that `environ` names.

    The variables are removed from `environ`, for they are not meant for children of ours.
    """
    address, microseconds, pid = (
        environ.pop(key, "") for key in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    )
    asked = microseconds.isdecimal() and pid in {"", str(os.getpid())}
    return Notifier(address, int(microseconds) / 1e6 if asked else 0)
