"""The listening sockets: handed over by systemd, or our own."""

import os
import socket
from collections.abc import MutableMapping

from .health_socket import BACKLOG, SocketError, why

FIRST = 3
"""The first file descriptor that systemd hands over, see sd_listen_fds(3)."""


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
        raise SocketError(f"cannot listen on file descriptor {descriptor}: {why(error)}") from None
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
        raise SocketError(f"cannot listen on {host}:{port}: {why(error)}") from None
    return [sock]


def name(sock: socket.socket) -> str:
    """Return the address of a socket, for the log."""
    address = sock.getsockname()
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address)
