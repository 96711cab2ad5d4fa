"""Report the program's state to systemd, as sd_notify(3) does. Standard library only."""

import contextlib
import os
import socket
from collections.abc import MutableMapping

SEND_SECONDS = 1.0
"""How long a message may wait for room in systemd's queue; then it is dropped."""


class Notifier:
    """Send messages to the service manager that started this process, if there is one."""

    def __init__(self, address: str = "", watchdog_seconds: float = 0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds
        """How long the manager waits for a sign of life; 0 if it does not ask for one."""

    def send(self, *lines: str) -> None:
        """Send `lines`, such as ``READY=1``, as one message; ignore a manager that is gone."""
        if not self._address.startswith(("/", "\0")):
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
        ):
            sock.settimeout(SEND_SECONDS)
            sock.sendto("\n".join(lines).encode(), self._address)


def from_systemd(environ: MutableMapping[str, str]) -> Notifier:
    """Return a notifier for the manager that `environ` names.

    Remove the variables from `environ`, because child processes must not inherit them.
    """
    address, microseconds, pid = (
        environ.pop(key, "") for key in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
    )
    asked = microseconds.isdecimal() and pid in {"", str(os.getpid())}
    return Notifier(address, int(microseconds) / 1e6 if asked else 0)
