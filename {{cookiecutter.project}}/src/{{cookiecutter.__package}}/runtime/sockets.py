"""The listening sockets: handed over by systemd, or our own."""

import os
import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from . import NAME

BACKLOG = 2048
"""How many connections may wait to be accepted (the system may allow fewer)."""
HEALTH = "health.sock"
"""The name of the health socket in the folder that systemd makes for a service while it runs."""
FIRST = 3
"""The first file descriptor that systemd hands over, see sd_listen_fds(3)."""


class SocketError(Exception):
    """The program cannot listen; the message is one line that says why."""


def handed_over(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets that systemd handed to this process, usually none.

    Remove the variables that announce them, because child processes must not inherit them.
    Raise SocketError if anything other than listening stream sockets was handed over.
    """
    pid, count, _ = (environ.pop(f"LISTEN_{key}", "") for key in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()):
        return []
    if not count.isdecimal():
        raise SocketError(f"LISTEN_FDS is {count!r}: expected a whole number")
    return [_adopt(descriptor) for descriptor in range(FIRST, FIRST + int(count))]


def _adopt(descriptor: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise SocketError(f"cannot listen on file descriptor {descriptor}: {_why(error)}") from None
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise SocketError(f"cannot listen on file descriptor {descriptor}: not a listening socket")
    sock.set_inheritable(False)
    return sock


def bound(host: str, port: int) -> list[socket.socket]:
    """Listen on `host` and `port`; ``::`` stands for every address, IPv4 ones too.

    Raise SocketError if that fails.
    """
    try:
        sock = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise SocketError(f"cannot listen on {host}:{port}: {_why(error)}") from None
    return [sock]


def health(environ: Mapping[str, str]) -> socket.socket | None:
    """Listen at ``health.sock`` in the first RUNTIME_DIRECTORY, if systemd provides one.

    Only the service's own user and root can connect. Raise SocketError if listening fails.
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not folder:
        return None
    path = Path(folder, HEALTH)
    sock = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)  # left by a process that was killed
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise SocketError(f"cannot listen on {path}: {_why(error)}") from None
    return sock


def health_path(environ: Mapping[str, str]) -> Path:
    """Return where the installed program listens for health checks."""
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    of_user = environ.get("XDG_RUNTIME_DIR", "")
    if not folder and of_user and Path(of_user, NAME, HEALTH).exists():
        folder = f"{of_user}/{NAME}"
    return Path(folder or f"/run/{NAME}", HEALTH)


def name(sock: socket.socket) -> str:
    """Return the address of a socket, for the log."""
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)


def _why(error: OSError) -> str:
    # create_server() adds the address, which our message names already
    return str(error.strerror or error).partition(" (while")[0].lower()
